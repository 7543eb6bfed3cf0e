"""The turn to append, and those who wait for it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import psycopg
import pytest

from application.eventstore import advisory_locks, group_commit
from application.eventstore.deadline import deadline
from application.eventstore.recorder import EventRecorder
from tests.support.stored_rows import query, stored
from tests.support.waiting import wait_until

Answer = Sequence[int] | Exception


@contextmanager
def somebody_elses_turn(conninfo: str) -> Iterator[psycopg.Connection]:
    """Another append that does not come to its end."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("SELECT pg_advisory_xact_lock(%s)", (advisory_locks.APPEND,))
        yield conn
        conn.rollback()


def waiting_for_a_lock(conninfo: str) -> list[int]:
    """The server processes that do."""
    return [
        pid
        for (pid,) in query(
            conninfo,
            """SELECT pid FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event_type = 'Lock'""",
        )
    ]


def answer(call: Callable[[], Sequence[int]]) -> Answer:
    """Returns what a patient caller gets: positions or an error."""
    try:
        with deadline(60):
            return call()
    except Exception as error:  # noqa: BLE001 - the tests look at it
        return error


@contextmanager
def one_leader() -> Iterator[None]:
    """Nobody takes the lead from whoever has it, however long the test takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(group_commit, "STUCK_SECONDS", 60.0)
        yield


def sharing_a_transaction(
    recorder: EventRecorder, conninfo: str, calls: Sequence[Callable[[], Sequence[int]]]
) -> list[Answer]:
    """Returns the answers to calls that queue together behind another append of the recorder."""
    with ThreadPoolExecutor(1 + len(calls)) as threads, one_leader():
        with somebody_elses_turn(conninfo):
            first = threads.submit(answer, partial(recorder.insert_events, [stored()]))
            wait_until(lambda: waiting_for_a_lock(conninfo))
            futures: list[Future[Any]] = []
            for call in calls:
                futures.append(threads.submit(answer, call))
                wait_until(lambda: len(recorder.queue) == len(futures))
        first.result()
        return [future.result() for future in futures]
