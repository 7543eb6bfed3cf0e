"""`admitone projections`: output and exit statuses."""

import json
from collections.abc import Callable

import psycopg
import pytest
from psycopg.rows import dict_row

from interface.bootstrap import Services
from interface.cli import context
from projections.catalogue import CATALOGUE
from projections.rebuild import jobs
from tests.projections.unreadable_events import unreadable
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.every_event import everything_happens

NAMES = [projection.name for projection in CATALOGUE]


@pytest.fixture
def story(services: Services, catch_up: Callable[[], None]) -> None:
    """Views of a log in which everything happened."""
    everything_happens(Desk(services))
    catch_up()


def test_a_view_that_does_not_exist_is_refused_with_the_names_of_those_that_do(
    admitone: Command,
) -> None:
    refused = admitone("projections", "rebuild", "link_lists")
    assert refused.status == 1
    assert f"There is no such view. The views are {', '.join(NAMES)}." in refused.err


def test_a_rebuild_prints_progress_rates_and_rows_in_plain_lines(
    admitone: Command, story: None, services: Services
) -> None:
    done = admitone("projections", "rebuild", "--all")
    assert done.status == 0
    assert [line.partition(" is rebuilt: ")[0] for line in done.out.splitlines()] == NAMES
    assert all(", 0 differed from the view before." in line for line in done.out.splitlines())
    entries = services.security_log.newest(limit=99, kind="view.rebuild-requested")
    assert sorted(entry.details["view"] for entry in entries) == sorted(NAMES)
    assert {entry.actor for entry in entries} == {context.actor()}
    assert "link_list_v3 building: 100%, " in done.err
    assert " events/s, 0 s left" in done.err
    assert "\x1b" not in done.err


def test_a_view_that_is_being_rebuilt_is_refused_with_exit_status_3(
    admitone: Command, conninfo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LOCK_SECONDS", 0.0)
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        jobs.lock(conn, "link_list_v3")
        done = admitone("projections", "rebuild", "link_list")
    assert done == (3, "", "link_list_v3 is being rebuilt or verified already.\n")


@pytest.mark.parametrize("how", [(), ("--sample", "200")])
@pytest.mark.parametrize(
    ("fault", "sides"),
    [
        ("UPDATE link_list_v3 SET issued_at = now()", {"live": True, "built": True}),
        ("DELETE FROM link_list_v3", {"live": False, "built": True}),
        (
            """INSERT INTO link_list_v3 SELECT gen_random_uuid(), owner_id, calendar_id,
            1, 1, 1, now(), now() FROM link_list_v3 LIMIT 10""",
            {"live": True, "built": False},
        ),
    ],
    ids=["changed", "missing", "extra"],
)
def test_verify_lists_the_keys_that_differ_and_fails(
    admitone: Command,
    story: None,
    conninfo: str,
    how: tuple[str, ...],
    fault: str,
    sides: dict[str, bool],
) -> None:
    assert admitone("projections", "verify", "--all", *how).status == 0
    with psycopg.connect(conninfo) as conn:
        conn.execute(fault.encode())
    done = admitone("projections", "verify", "link_list", *how)
    assert done.status == 1
    told = [json.loads(line) for line in done.out.splitlines()[1:]]
    assert told
    for difference in told:
        assert difference["table"] == "link_list_v3"
        assert difference["key"]
        assert {side: difference[side] is not None for side in sides} == sides
    assert admitone("projections", "verify", "calendar_list", *how).status == 0


def test_parked_events_are_reported_and_retried(
    admitone: Command, services: Services, conninfo: str, catch_up: Callable[[], None]
) -> None:
    Desk(services).new_link()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        (row,) = conn.execute("SELECT position FROM log WHERE topic = 'link.issued'").fetchall()
        with unreadable(conn, {row["position"]}):
            catch_up()
            assert "parked: 1 event could not be applied" in admitone("projections", "status").out
            done = admitone("projections", "retry", "link_list")
            assert done == (1, "link_list_v3: 0 events applied, 1 still parked.\n", "")
            assert admitone("projections", "verify", "link_list", "--sample", "50").status == 0
    done = admitone("projections", "retry", "link_list")
    assert done == (0, "link_list_v3: 1 event applied, 0 still parked.\n", "")


def test_prune_says_what_it_drops(admitone: Command, story: None) -> None:
    admitone("projections", "rebuild", "link_list")
    assert admitone("projections", "prune").out.startswith("dropped link_list_v3 as it was before ")
    assert admitone("projections", "prune").out == "nothing to drop\n"
