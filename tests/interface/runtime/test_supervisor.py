"""What the supervisor loads before the database starts, and what its forks share and report."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from interface.bootstrap import build
from interface.i18n import LANGUAGES
from interface.runtime.forks import STOP_SIGNALS
from interface.settings import Settings
from interface.wsgi import create_app

NOWHERE = "host=nowhere.invalid"


def run(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a new process, which has loaded nothing and has no threads."""
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)


def test_until_the_database_starts_little_is_loaded() -> None:
    slow = {"babel", "eventsourcing", "flask", "granian", "marshmallow", "prometheus_client"}
    done = run(
        "import sys, interface.cli.serve, interface.runtime.supervisor\n"
        f"print(sorted({slow!r} & set(sys.modules)))"
    )
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_a_signal_that_comes_before_anything_is_started_ends_the_start_without_a_word(
    number: int,
) -> None:
    done = run(
        "import os, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'interface.runtime.supervisor':\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "sys.argv[1:] = ['serve']\n"
        "from interface.cli.__main__ import main\n"
        "main()"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_loaded_at_a_start_is_not_searched_for_garbage() -> None:
    done = run(
        "import gc\n"
        "found = []\n"
        "def note(phase, info):\n"
        "    found.append(phase)\n"
        "gc.callbacks.append(note)\n"
        "from interface.loading import without_garbage_collection\n"
        "found.clear()\n"
        "with without_garbage_collection():\n"
        "    import interface.bootstrap\n"
        "    print(found)\n"
        "print(gc.isenabled())\n"
        "gc.disable()\n"
        "with without_garbage_collection(): pass\n"
        "print(gc.isenabled())"
    )
    assert done.stdout == "[]\nTrue\nFalse\n", done.stderr


def test_an_application_starts_no_thread_and_no_connection_before_it_is_used() -> None:
    before = threading.enumerate()
    services = build(Settings(secret_keys=("k" * 32,)), NOWHERE)
    create_app(services)
    assert threading.enumerate() == before
    services.close()


def test_what_every_process_needs_is_loaded_before_the_first_fork(tmp_path: Path) -> None:
    done = run(
        "import gc, threading\n"
        "from pathlib import Path\n"
        "from babel import localedata\n"
        "from interface.runtime.loaded_service import LoadedService\n"
        "from interface.settings import Settings\n"
        f"service = LoadedService(Settings({NOWHERE!r}, data=Path({str(tmp_path)!r})))\n"
        "print(*service.processes, sep=', ')\n"
        f"print(set({LANGUAGES!r}) <= set(localedata._cache))\n"
        "print(gc.get_freeze_count() > 0, threading.active_count())"
    )
    assert done.stdout == "sender, projector, web server\nTrue\nTrue 1\n", done.stderr


def test_there_is_an_account_when_the_address_is_printed(conninfo: str, tmp_path: Path) -> None:
    done = run(
        "from pathlib import Path\n"
        "import psycopg\n"
        "from interface.runtime.loaded_service import LoadedService\n"
        "from interface.settings import Settings\n"
        "def say(text):\n"
        f"    with psycopg.connect({conninfo!r}) as conn:\n"
        "        print(*text.split()[:2], conn.execute('TABLE accounts').rowcount)\n"
        f"LoadedService(Settings({conninfo!r}, data=Path({str(tmp_path)!r}))).welcome(say)"
    )
    assert done.stdout == "Admit One 1\nTo sign 1\n", done.stderr


def test_the_refusal_of_a_process_is_one_sentence_and_its_death_is_reported_once() -> None:
    done = run(
        "from domain.errors import NotFound\n"
        "from interface.runtime.managed_process import ManagedProcess\n"
        "def refuse(): raise NotFound\n"
        "process = ManagedProcess('refuser', refuse)\n"
        "process.start()\n"
        "while (news := process.revive()) is None: pass\n"
        "print(news, process.revive())\n"
        "process.stop()"
    )
    assert done.stdout == "The refuser died with status 1; starting it again. None\n", done.stderr
    assert done.stderr.splitlines()[:1] == ["There is nothing here."]
    assert "Traceback" not in done.stderr
