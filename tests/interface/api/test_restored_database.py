"""The database goes back to an earlier moment under web processes and a projector that run on.

It is another database then, with other connections, positions given out again, and views as they
were. The processes remember what came later.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg import Connection, sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from interface.bootstrap import Services, build
from interface.settings import Settings
from projections.catalogue import FOLLOWERS
from projections.engine import positions
from tests.support.clock import Clock
from tests.support.command_line import Command
from tests.support.examples import A_DAY, NINE, NOW, SECRET, TEN
from tests.support.http_desk import HttpDesk, refusal
from tests.support.projector import running_projector
from tests.support.stored_rows import query

ELEVEN, NOON, ONE = (f"{A_DAY}T{time}:00Z" for time in ("11:00", "12:00", "13:00"))
HALF_PAST_ELEVEN = f"{A_DAY}T11:30:00Z"


class Restorable:
    """A database of which a copy can be kept, and put in its place."""

    def __init__(self, conninfo: str, admin: Connection[TupleRow]) -> None:
        self.conninfo = conninfo
        self._name = str(conninfo_to_dict(conninfo)["dbname"])
        self._copy = f"{self._name}_kept"
        self._admin = admin

    def keep(self) -> None:
        """Copies the database as it is."""
        with self._closed():
            self._run("CREATE DATABASE {copy} TEMPLATE {name}")

    def go_back(self) -> None:
        """Puts the copy in the place of the database."""
        with self._closed():
            self._run("DROP DATABASE {name} WITH (FORCE)")
            self._run("ALTER DATABASE {copy} RENAME TO {name}")

    @contextmanager
    def _closed(self) -> Iterator[None]:
        """Ends all sessions, and lets nobody in during the block."""
        self._run("ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        self._admin.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s",
            (self._name,),
        )
        yield
        self._run("ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    def _run(self, statement: str) -> None:
        names = {"name": sql.Identifier(self._name), "copy": sql.Identifier(self._copy)}
        self._admin.execute(sql.SQL(statement).format(**names))


@dataclass
class Worker(HttpDesk):
    """A web process, so to speak: it shares nothing with another one but the database."""

    services: Services
    key: str
    on: Callable[[Services], Flask]

    def api_key(self) -> str:
        """Returns the owner's API key."""
        return self.key

    def call(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """Sends a request to this process."""
        client = self.on(self.services).test_client()
        return client.open(path, method=method, json=json, headers=headers)

    def shown(self) -> "Worker":
        """Waits until the views have come to the end of the log."""
        head = self.services.event_store.head()
        names = [projection.name for projection in FOLLOWERS]
        positions.wait_for(self.services.database, names, head, seconds=60)
        return self


@pytest.fixture
def restorable(server: str, new_database: Callable[[], str]) -> Iterator[Restorable]:
    """A database with all tables and no rows."""
    with psycopg.connect(server, autocommit=True) as admin:
        yield Restorable(new_database(), admin)


@pytest.fixture
def workers(
    restorable: Restorable,
    web_application: Callable[[Services], Flask],
    clock: Clock,
    tmp_path: Path,
) -> Iterator[tuple[Worker, Worker]]:
    """Two web processes of one owner."""
    settings = Settings(data=tmp_path, secret_keys=(SECRET,), public_url="https://book.example.org")
    with (
        closing(build(settings, restorable.conninfo, now=clock)) as here,
        closing(build(settings, restorable.conninfo, now=clock)) as there,
    ):
        account = here.accounts.create(email="olivia@example.org", name="Olivia", roles=("owner",))
        key = here.api_keys.create(account, name="tests", now=NOW)
        yield Worker(here, key, web_application), Worker(there, key, web_application)


def test_what_was_lost_is_done_again_and_nothing_else_is_refused(
    restorable: Restorable,
    workers: tuple[Worker, Worker],
    run: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    here, there = workers
    with running_projector(restorable.conninfo):
        calendar_id = here.new_calendar()
        kept, moved, first, second, third, revoked, last = here.new_links(calendar_id, 7)
        kept_id, moved_id = (
            here.book(link, start)["booking_id"] for link, start in ((kept, NINE), (moved, TEN))
        )
        restorable.keep()

        # The return to the kept copy will lose this, but both processes remember it.
        assert there.redeem(first, ELEVEN, key="once").status_code == 201
        assert here.redeem(second, NOON).status_code == 201
        assert there.cancel(kept_id).status_code == 200
        assert here.move(moved_id, ONE).status_code == 200
        assert here.revoke(revoked).status_code == 200
        changed = there.patch(
            f"/calendars/{calendar_id}", {"duration_minutes": 60}, **{"If-Match": '"1"'}
        )
        assert changed.status_code == 200
        lost_calendar_id = there.new_calendar()
        lost_link = here.new_link(lost_calendar_id)
        for worker in workers:
            slots = worker.shown().slots(third)
            assert NINE in slots
            assert not {ELEVEN, NOON, ONE} & set(slots)

        restorable.go_back()
        for worker in workers:
            worker.new_link(calendar_id)
            assert worker.post(f"/calendars/{lost_calendar_id}/links", {}).status_code == 404
        for worker in workers:
            slots = worker.shown().slots(third)
            assert {ELEVEN, HALF_PAST_ELEVEN, NOON, ONE} <= set(slots)
            assert not {NINE, TEN} & set(slots)

        # Everything can be done again, by the other process, and the repetition is no repetition.
        assert here.redeem(first, ELEVEN, key="once").status_code == 201
        assert here.redeem(first, ELEVEN, key="once").status_code == 201
        assert refusal(there.redeem(second, ELEVEN)) == (409, "slot-taken")
        assert there.redeem(second, HALF_PAST_ELEVEN).status_code == 201
        assert here.redeem(revoked, NOON).status_code == 201
        assert refusal(there.redeem(third, NOON)) == (409, "slot-taken")
        assert here.cancel(kept_id).status_code == 200
        assert there.redeem(third, NINE).status_code == 201
        assert there.move(moved_id, ONE).status_code == 200
        assert here.redeem(last, TEN).status_code == 201
        for worker in workers:
            assert worker.redeem(worker.new_link(calendar_id), NOON).status_code == 409
            assert worker.get(f"/calendars/{lost_calendar_id}").status_code == 404
            assert refusal(worker.redeem(lost_link)) == (404, "link-not-found")

        # The projector goes on, with the positions that were given out again.
        listed = there.shown().get("/bookings?status=confirmed")
        starts = [each["start"] for each in listed.json["items"]]
        assert sorted(starts) == [NINE, TEN, ELEVEN, HALF_PAST_ELEVEN, NOON, ONE]

    gaps = query(
        restorable.conninfo,
        """SELECT originator_id FROM stored_events GROUP BY originator_id
        HAVING min(originator_version) <> 1 OR max(originator_version) <> count(*)""",
    )
    assert gaps == []
    monkeypatch.setenv("ADMITONE_DATABASE_URL", restorable.conninfo)
    monkeypatch.setenv("ADMITONE_SECRET_KEYS", SECRET)
    monkeypatch.setenv("ADMITONE_DATA", str(tmp_path))
    verified = run("projections", "verify", "--all")
    assert verified.status == 0, verified
