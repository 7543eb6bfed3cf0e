"""The senders of one process live and end together, and keep their session at a set address."""

from dataclasses import replace
from functools import partial
from threading import Event, Thread
from typing import Any, cast

import pytest
from psycopg.conninfo import make_conninfo

from application.deliveries.sender import Sender
from application.eventstore import advisory_locks
from interface.bootstrap import Services
from interface.observability import logs
from interface.runtime import delivery_process, low_priority
from interface.runtime.delivery_process import run_all
from tests.support.stored_rows import query
from tests.support.waiting import wait_until


class _Stub:
    """Stands for a sender that works until it is stopped, or until an error."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.was_stopped = False

    def run(self, stop: Event) -> None:
        if self._error is not None:
            raise self._error
        self.was_stopped = stop.wait(30)


def test_an_error_of_one_sender_ends_all_of_them_and_is_raised() -> None:
    waiting, failing = _Stub(), _Stub(MemoryError("no more"))
    senders: Any = [waiting, failing]
    with pytest.raises(MemoryError, match="no more"):
        run_all(cast("list[Sender]", senders), Event())
    assert waiting.was_stopped


def test_senders_hold_their_locks_in_one_session_past_the_pooler(
    services: Services, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All their other connections go through it."""
    stop = Event()
    monkeypatch.setattr(delivery_process, "stop_on_signals", lambda: stop)
    monkeypatch.setattr(delivery_process, "end_with_parent", lambda: None)
    monkeypatch.setattr(low_priority, "take", lambda: None)
    monkeypatch.setattr(logs, "configure", lambda _: None)
    settings = replace(
        services.settings,
        database_url=make_conninfo(conninfo, application_name="pooled"),
        listen_url=make_conninfo(conninfo, application_name="direct"),
    )
    thread = Thread(target=partial(delivery_process.run, settings))
    thread.start()

    def sessions(which: str) -> list[str]:
        found = query(
            conninfo,
            "SELECT application_name FROM pg_stat_activity WHERE datname = current_database()"  # noqa: S608 - constants
            f" AND pid <> pg_backend_pid() AND {which}",
        )
        return [name for (name,) in found]

    locks = f"""SELECT DISTINCT objid FROM pg_locks WHERE classid::bigint = {advisory_locks.SENDER}
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""  # noqa: S608
    with_lock = f"""EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid
        AND classid::bigint = {advisory_locks.SENDER})"""
    try:
        wait_until(lambda: sessions(with_lock) == ["direct"])
        assert len(query(conninfo, locks)) == 3
        claims = f"query LIKE '%%UPDATE deliveries%%' AND NOT {with_lock}"
        wait_until(lambda: set(sessions(claims)) == {"pooled"})
    finally:
        stop.set()
        thread.join(30)
    assert not thread.is_alive()
