"""The status of every view compared with the log."""

from collections.abc import Callable

import psycopg

from interface.bootstrap import Services
from projections.catalogue import CATALOGUE
from projections.engine.runner import is_running
from projections.status import statuses
from tests.support.desk import Desk
from tests.support.log_trigger import writable_log
from tests.support.projector import running_projector
from tests.support.waiting import wait_until

NAMES = [projection.name for projection in CATALOGUE]


def test_while_nothing_has_happened_every_view_is_live(services: Services) -> None:
    found = statuses(services.database)
    assert [view.name for view in found] == NAMES
    for view in found:
        assert (view.position, view.head, view.lag_events, view.lag_seconds) == (0, 0, 0, 0.0)
        assert (view.parked, view.state, view.rebuild) == (0, "live", None)


def test_a_view_that_has_not_seen_all_events_is_behind_by_number_and_age(
    services: Services, conninfo: str, catch_up: Callable[[], None]
) -> None:
    desk = Desk(services)
    desk.new_link()
    catch_up()
    seen = services.event_store.head()
    desk.new_link()
    desk.new_link()
    with psycopg.connect(conninfo, autocommit=True) as conn, writable_log(conn):
        conn.execute(
            "UPDATE stored_events SET recorded_at = recorded_at - interval '1 hour'"
            " WHERE notification_id = %s",
            (seen + 1,),
        )
    for view in statuses(services.database):
        assert (view.position, view.head) == (seen, services.event_store.head())
        assert (view.lag_events, view.state) == (4, "behind")
        assert view.lag_seconds > 3600
    catch_up()
    assert {(view.lag_seconds, view.state) for view in statuses(services.database)} == {
        (0.0, "live")
    }


def test_views_of_other_versions_are_not_listed(services: Services, conninfo: str) -> None:
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("INSERT INTO projection_positions VALUES ('link_list_v0', 0)")
        try:
            assert [view.name for view in statuses(services.database)] == NAMES
        finally:
            conn.execute("DELETE FROM projection_positions WHERE name = 'link_list_v0'")


def test_any_connection_can_tell_whether_a_projector_is_running(
    services: Services, conninfo: str
) -> None:
    assert not is_running(services.database)
    with running_projector(conninfo):
        assert is_running(services.database)
    wait_until(lambda: not is_running(services.database))  # once the server has seen it leave
