"""pgBackRest brings the database back to a moment, by the lines of the manual.

It runs not on the cluster, but on one server, of a version that Debian's pgBackRest supports.
`tests/interface/runtime/test_point_in_time.py` says what the service does after that.
"""

import re
import shlex
import subprocess
from configparser import ConfigParser
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.booking import Booking
from interface.bootstrap import apply_schema, build
from interface.settings import Settings
from tests.cluster.programs import Programs
from tests.support.desk import Desk
from tests.support.examples import NOW, SECRET, TOMORROW_AT_NINE
from tests.support.postgres_server import USER, PostgresServer, archive_all, wait_until_promoted
from tests.support.waiting import wait_until

MANUAL = Path(__file__).parents[2] / "interface" / "deployment" / "README.md"
CREATE = "pgbackrest --stanza=admitone stanza-create"
PUSH = "pgbackrest --stanza=admitone archive-push %p"
BACKUP = "pgbackrest --stanza=admitone backup"
GET = "pgbackrest --stanza=admitone archive-get"
EXAMPLE = "2026-11-27 14:03:00+00"
RESTORE = (
    f"pgbackrest --stanza=admitone --type=time --target='{EXAMPLE}' --target-action=promote restore"
)


def write_configuration(file: Path, server: PostgresServer, folder: Path) -> None:
    """Writes pgBackRest's file of the manual, with other paths and what this server needs as well.

    Everything is kept in `folder`.
    """
    (of_the_manual,) = re.findall(r"(?ms)^```ini\n(\[global\]\n.+?)^```", MANUAL.read_text())
    sections = ConfigParser(interpolation=None)
    sections.read_string(of_the_manual)
    everywhere, ours = sections["global"], sections["admitone"]
    assert "repo1-path" in everywhere
    everywhere["repo1-path"] = str(folder / "repository")
    everywhere["lock-path"] = str(folder / "locks")
    everywhere["spool-path"] = str(folder / "spool")
    everywhere["log-level-file"] = "off"
    everywhere["start-fast"] = "y"
    assert "pg1-path" in ours
    ours["pg1-path"] = str(server.folder)
    ours["pg1-socket-path"] = str(folder)
    ours["pg1-port"] = str(server.port)
    ours["pg1-user"] = USER
    with file.open("w") as text:
        sections.write(text, space_around_delimiters=False)


def test_the_lines_of_the_manual_bring_back_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(MANUAL.read_text().split())
    assert all(line in text for line in (CREATE, PUSH, BACKUP, RESTORE))
    server = PostgresServer(tmp_path / "data", Programs.find(15).postgres)
    file = tmp_path / "pgbackrest.conf"
    write_configuration(file, server, tmp_path)
    monkeypatch.setenv("PGBACKREST_CONFIG", str(file))

    def run(line: str) -> None:
        subprocess.run([*server.identity.command, *shlex.split(line)], check=True)

    with_file = f"PGBACKREST_CONFIG={shlex.quote(str(file))}"  # the server is given no variables
    started = {
        "archive_mode": "on",
        "archive_command": f"{with_file} {PUSH}",
        "archive_timeout": "60",
        "unix_socket_directories": str(tmp_path),
    }
    server.create()
    with server.running(**started) as conninfo:
        run(CREATE)
        apply_schema(conninfo)
        settings = Settings(data=tmp_path / "service", secret_keys=(SECRET,))
        with closing(build(settings, conninfo, now=lambda: NOW)) as services:
            services.accounts.create(email="ada@example.org", name="Ada", roles=("owner",))
            desk = Desk(services)
            calendar_id = desk.new_calendar()
            times = (TOMORROW_AT_NINE + timedelta(days=day) for day in range(3))
            before_the_copy = desk.book(desk.new_link(calendar_id), next(times))
            run(BACKUP)
            done_at = datetime.now(UTC)
            after_the_copy = desk.book(desk.new_link(calendar_id), next(times))
            # pgBackRest counts in seconds: a copy of the same one may be too new.
            wait_until(lambda: datetime.now(UTC) > done_at + timedelta(seconds=2))
            moment = datetime.now(UTC)
            too_late = desk.book(desk.new_link(calendar_id), next(times))
        archive_all(conninfo)

    server.folder.rename(tmp_path / "kept")
    run(RESTORE.replace(EXAMPLE, f"{moment:%Y-%m-%d %H:%M:%S.%f}+00"))
    started["restore_command"] = f'{with_file} {GET} %f "%p"'  # as it wrote it, with the file
    with server.running(**started) as conninfo:
        wait_until_promoted(conninfo)
        with closing(build(settings, conninfo, now=lambda: NOW)) as services:
            found = [
                services.event_store.find(Booking, each) is not None
                for each in (before_the_copy, after_the_copy, too_late)
            ]
    assert found == [True, True, False]
