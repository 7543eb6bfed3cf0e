"""What the supervisor loads before the database starts, and what its forks may share."""

import subprocess
import sys
import threading

from interface.bootstrap import build
from interface.settings import Settings
from interface.wsgi import create_app


def test_until_the_database_starts_little_is_loaded() -> None:
    slow = {"babel", "eventsourcing", "flask", "granian", "marshmallow", "prometheus_client"}
    script = (
        "import sys, interface.cli.serve, interface.runtime.supervisor\n"
        f"print(sorted({slow!r} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_an_application_starts_no_thread_and_no_connection_before_it_is_used() -> None:
    before = threading.enumerate()
    services = build(Settings(secret_keys=("k" * 32,)), "host=nowhere.invalid")
    create_app(services)
    assert threading.enumerate() == before
    services.close()
