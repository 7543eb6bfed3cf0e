"""The API of operators: the lag of views, rebuilds, and parked events."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from flask import Flask
from psycopg.rows import dict_row

from application.eventstore.advisory_locks import REBUILD as REBUILD_LOCK
from application.eventstore.advisory_locks import is_held
from application.eventstore.mapper import JSONMapper
from interface.bootstrap import Services
from projections.catalogue import CATALOGUE
from projections.rebuild import jobs
from projections.rebuild.jobs import REBUILD, VERIFY
from projections.rebuild.rebuild import Rebuild
from projections.views import link_list
from projections.views.link_list import LinkList
from tests.support.examples import IN_90_DAYS
from tests.support.http_desk import refusal, unknown_id
from tests.support.owner import Owner
from tests.support.projector import running_projector
from tests.support.unappliable_event import unappliable_expiry
from tests.support.waiting import at_once, wait_until

REBUILDS = f"/projections/{link_list.NAME}/rebuilds"
RETRY = f"/projections/{link_list.NAME}/retry"


@pytest.fixture
def operator(new_owner: Callable[..., Owner]) -> Owner:
    """An account that may only operate the service."""
    return new_owner("Otto Operator", roles=("operator",))


@pytest.fixture
def work(conninfo: str) -> Iterator[Callable[[], object]]:
    """Rebuilds the list of links; what was replaced is dropped in the end."""

    def work() -> None:
        Rebuild(conninfo, [LinkList()], JSONMapper()).run()
        # The server takes a moment to see that whoever held the lock has gone.
        with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
            wait_until(lambda: not is_held(conn, REBUILD_LOCK, link_list.NAME))

    yield work
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        jobs.prune(conn, CATALOGUE)


def views(operator: Owner) -> dict[str, Any]:
    """Each view by name, as it is without catching up first."""
    answer: Any = operator.client.get("/api/v1/projections", headers=operator.headers)
    assert answer.status_code == 200
    return {view["name"]: view for view in answer.json["items"]}


def test_every_view_is_listed_with_its_lag(owner: Owner, operator: Owner) -> None:
    owner.new_link()
    found = views(operator)
    assert list(found) == [projection.name for projection in CATALOGUE]
    for view in found.values():
        assert 0 < view.pop("lag_seconds") < 60
        del view["name"]
        assert view == {
            "position": 0,
            "head": 2,
            "lag_events": 2,
            "state": "behind",
            "parked": 0,
            "waiting": 0,
            "rebuild": None,
        }
    owner.catch_up()
    for view in views(operator).values():
        assert (view["position"], view["lag_events"], view["lag_seconds"]) == (2, 0, 0.0)
        assert view["state"] == "live"


def test_the_list_says_whether_a_projector_is_running(operator: Owner, conninfo: str) -> None:
    def at_work() -> bool:
        return bool(operator.get("/projections").json["projector_at_work"])

    assert at_work() is False
    with running_projector(conninfo):
        assert at_work() is True


@pytest.mark.parametrize("name", [link_list.NAME, "link_list"])
def test_a_rebuild_can_be_requested_and_followed(
    owner: Owner, operator: Owner, work: Callable[[], object], name: str
) -> None:
    owner.new_link()
    owner.catch_up()
    answer = operator.post(f"/projections/{name}/rebuilds")
    assert answer.status_code == 202
    asked = answer.json
    assert answer.headers["Location"] == f"/api/v1{REBUILDS}/{asked['id']}"
    assert (asked["kind"], asked["state"], asked["progress"]) == ("rebuild", "waiting", 0.0)
    assert (asked["rows"], asked["differing"], asked["finished_at"]) == (None, None, None)

    def read() -> Any:
        return operator.client.get(answer.headers["Location"], headers=operator.headers).json

    assert read() == asked == views(operator)[link_list.NAME]["rebuild"]
    work()
    done = read()
    assert done == views(operator)[link_list.NAME]["rebuild"]
    assert (done["id"], done["state"], done["progress"]) == (asked["id"], "done", 1.0)
    assert (done["events"], done["rows"], done["differing"], done["differences"]) == (2, 1, 0, [])
    assert done["finished_at"] is not None


def test_rows_that_differed_from_the_log_are_reported(
    owner: Owner, operator: Owner, services: Services, work: Callable[[], object]
) -> None:
    link, missing = owner.new_link(), owner.new_link()
    owner.catch_up()
    with services.database.connection() as conn:
        table = link_list.NAME
        for statement, row in (
            (f"UPDATE {table} SET position = 7 WHERE link_id = %s", link),  # noqa: S608
            (f"DELETE FROM {table} WHERE link_id = %s", missing),  # noqa: S608
        ):
            conn.execute(statement.encode(), (row["id"],))
    asked = operator.post(REBUILDS).json
    work()
    done = operator.get(f"{REBUILDS}/{asked['id']}").json
    assert done["differing"] == 2
    differences = {difference["key"]: difference for difference in done["differences"]}
    assert differences[link["id"]] == {
        "table": link_list.NAME,
        "key": link["id"],
        "live": {"position": 7},
        "built": {"position": 2},
    }
    assert differences[missing["id"]]["live"] is None
    assert differences[missing["id"]]["built"]["link_id"] == missing["id"]


def test_a_second_request_returns_the_rebuild_that_waits(
    operator: Owner, work: Callable[[], object]
) -> None:
    first = operator.post(REBUILDS).json
    again = operator.post(REBUILDS)
    assert (again.status_code, again.json) == (202, first)
    assert views(operator)[link_list.NAME]["rebuild"] == first
    assert operator.post("/projections/calendar_list/rebuilds").status_code == 202
    work()
    second = operator.post(REBUILDS)
    assert second.status_code == 202
    assert second.json["id"] != first["id"]


def test_several_concurrent_requests_make_one_rebuild(operator: Owner, services: Services) -> None:
    answers = at_once([lambda: operator.post(REBUILDS)] * 6)
    (row,) = services.database.fetch_all("SELECT id::text, by_projector FROM rebuilds")
    assert row["by_projector"]
    assert {answer.json["id"] for answer in answers if answer.status_code == 202} == {row["id"]}


def test_a_view_that_is_being_rebuilt_by_command_is_refused(operator: Owner, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        jobs.lock(conn, link_list.NAME)
        assert refusal(operator.post(REBUILDS)) == (409, "rebuild-running")
    assert views(operator)[link_list.NAME]["rebuild"] is None


@pytest.mark.parametrize("kind", [REBUILD, VERIFY])
def test_a_rebuild_that_a_killed_command_left_behind_is_resumed(
    owner: Owner, operator: Owner, conninfo: str, work: Callable[[], object], kind: str
) -> None:
    owner.new_link()
    owner.catch_up()
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as conn:
        left = jobs.begin(conn, LinkList(), kind)
    answer = operator.post(REBUILDS)
    assert answer.status_code == 202
    assert (answer.json["id"] == str(left.id), answer.json["kind"]) == (kind == REBUILD, REBUILD)
    work()
    done = operator.get(f"{REBUILDS}/{answer.json['id']}").json
    assert (done["state"], done["rows"], done["differing"]) == ("done", 1, 0)


def test_an_unknown_view_or_rebuild_is_not_found(operator: Owner) -> None:
    asked = operator.post(REBUILDS).json
    for answer in (
        operator.post("/projections/nothing/rebuilds"),
        operator.post("/projections/link_list_v0/rebuilds"),
        operator.post("/projections/nothing/retry"),
        operator.get(f"/projections/nothing/rebuilds/{asked['id']}"),
        operator.get(f"/projections/calendar_list/rebuilds/{asked['id']}"),
        operator.get(f"{REBUILDS}/{unknown_id()}"),
    ):
        assert refusal(answer) == (404, "not-found")


def test_a_retry_applies_parked_events_once_they_can_be(
    owner: Owner, operator: Owner, services: Services
) -> None:
    assert operator.post(RETRY).json == {"applied": 0, "parked": 0}
    with unappliable_expiry(services.database, IN_90_DAYS):
        link = owner.new_link(expires_at=IN_90_DAYS.isoformat())
        owner.revoke(link)
        owner.catch_up()
        view = views(operator)[link_list.NAME]
        assert (view["state"], view["parked"], view["waiting"]) == ("parked", 1, 1)
        answer = operator.post("/projections/link_list/retry")
        assert (answer.status_code, answer.json) == (200, {"applied": 0, "parked": 2})
    assert operator.post(RETRY).json == {"applied": 2, "parked": 0}
    assert operator.post(RETRY).json == {"applied": 0, "parked": 0}
    view = views(operator)[link_list.NAME]
    assert (view["state"], view["parked"], view["waiting"]) == ("live", 0, 0)
    assert owner.get(f"/links/{link['id']}").json["status"] == "revoked"


def test_only_operators_and_admins_have_access(
    app: Flask, owner: Owner, operator: Owner, new_owner: Callable[..., Owner]
) -> None:
    admin = new_owner("Anna Admin", roles=("admin",))
    auditor = new_owner("Axel Auditor", roles=("auditor",))
    assert [who.get("/projections").status_code for who in (operator, admin)] == [200, 200]
    for who in (owner, auditor):
        for answer in (who.get("/projections"), who.post(REBUILDS), who.post(RETRY)):
            assert refusal(answer) == (403, "forbidden")
    assert views(operator)[link_list.NAME]["rebuild"] is None
