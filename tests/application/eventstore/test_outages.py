"""With a server that refuses or is silent deadlines hold, and dead connections are replaced."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from time import monotonic

import pytest

from application.eventstore import database as database_module
from application.eventstore import deadline as deadline_module
from application.eventstore import recorder as recorder_module
from application.eventstore.database import Database, ServerAway
from application.eventstore.deadline import deadline
from application.eventstore.event_sourced_application import EventSourcedApplication
from application.eventstore.recorder import EventRecorder
from domain.errors import Unavailable
from tests.support.database_proxy import Proxy
from tests.support.patience import MINUTE, give_commands_a_minute
from tests.support.stored_rows import query, stored
from tests.support.waiting import wait_until

SECONDS = 0.3
AT_MOST = 20.0  # far from both, so that a busy machine does not decide

Use = Callable[[Database], object]


def write(database: Database) -> object:
    return EventRecorder(database).insert_events([stored()])


def read(database: Database) -> object:
    return database.fetch_one("SELECT 1 AS one")


def use(database: Database) -> object:
    with database.connection() as conn:
        return conn.execute("SELECT 1")


every_use = pytest.mark.parametrize("use_it", [write, read, use])


@pytest.fixture(autouse=True)
def no_other_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets whatever keeps no deadline of the test wait for a minute."""
    monkeypatch.setattr(deadline_module, "REQUEST_SECONDS", MINUTE)
    give_commands_a_minute(monkeypatch)


@pytest.fixture
def distant(proxy: Proxy) -> Iterator[Database]:
    """The database behind the proxy. To connect may take a minute."""
    distant = Database(f"{proxy.conninfo} connect_timeout={MINUTE:.0f}", max_pool_size=3)
    yield distant
    distant.close()


def fill(database: Database, connections: int) -> list[int]:
    """Makes the pool open that many connections and returns their server processes."""
    with ExitStack() as stack:
        opened = [stack.enter_context(database.connection()) for _ in range(connections)]
        return [conn.info.backend_pid for conn in opened]


def must_be_unavailable(use_it: Use, database: Database) -> None:
    started = monotonic()
    with deadline(SECONDS), pytest.raises(Unavailable):
        use_it(database)
    assert monotonic() - started < AT_MOST


@every_use
def test_connections_closed_by_the_server_are_replaced_before_use(
    use_it: Use, database: Database, conninfo: str
) -> None:
    for pid in fill(database, 5):
        query(conninfo, "SELECT pg_terminate_backend(%s, 60000)", pid)
    use_it(database)


@every_use
def test_a_server_that_refuses_is_unavailable_until_it_is_back(
    use_it: Use, distant: Database, proxy: Proxy
) -> None:
    fill(distant, 3)
    proxy.refuse()
    proxy.cut()
    must_be_unavailable(use_it, distant)
    proxy.accept()
    use_it(distant)


@every_use
def test_a_silent_server_is_unavailable_at_the_deadline_and_usable_afterwards(
    use_it: Use, distant: Database, proxy: Proxy
) -> None:
    fill(distant, 3)
    with proxy.silence():
        for _ in range(4):
            must_be_unavailable(use_it, distant)
    use_it(distant)


@every_use
def test_a_server_that_is_silent_from_the_start_is_unavailable(
    use_it: Use, distant: Database, proxy: Proxy
) -> None:
    with proxy.silence():
        must_be_unavailable(use_it, distant)
    use_it(distant)


@every_use
def test_who_waits_for_a_server_that_is_away_is_told_after_half_of_the_time(
    use_it: Use, distant: Database, proxy: Proxy
) -> None:
    fill(distant, 1)
    proxy.refuse()

    def is_away() -> bool:
        proxy.cut()  # a connection may have been on its way
        with deadline(SECONDS), suppress(Unavailable):
            read(distant)
        return distant.pool.is_away

    wait_until(is_away)
    with deadline(SECONDS), pytest.raises(Unavailable) as refusal:
        use_it(distant)
    assert isinstance(refusal.value.__cause__, ServerAway)
    proxy.accept()
    wait_until(lambda: not distant.pool.is_away)
    use_it(distant)


def test_the_pool_keeps_connecting_at_a_steady_pace_without_requests(proxy: Proxy) -> None:
    distant = Database(proxy.conninfo, max_pool_size=1)
    proxy.refuse()
    must_be_unavailable(read, distant)
    before = proxy.refused
    # Pauses of 1, 2, 4, … seconds would make it two minutes.
    wait_until(lambda: proxy.refused >= before + 8)
    proxy.accept()
    wait_until(lambda: distant.pool.get_stats()["pool_available"])
    distant.close()


def test_a_request_that_waits_is_served_when_the_server_is_back(
    distant: Database, proxy: Proxy
) -> None:
    def read_patiently() -> object:
        with deadline(60):
            return read(distant)

    proxy.refuse()
    with ThreadPoolExecutor() as threads:
        waiting = threads.submit(read_patiently)
        wait_until(lambda: proxy.refused >= 4)
        proxy.accept()
        assert waiting.result() == {"one": 1}


def test_requests_that_gave_up_waiting_do_not_pile_up(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "MOST_WAITING", 20)
    distant = Database(proxy.conninfo)
    proxy.refuse()
    for _ in range(40):
        with deadline(0.002), pytest.raises(Unavailable):
            read(distant)
    assert distant.pool.get_stats()["requests_waiting"] == 20
    proxy.accept()
    assert read(distant) == {"one": 1}
    distant.close()


@every_use
def test_a_pool_whose_connections_are_all_in_use_is_unavailable_until_one_is_back(
    use_it: Use, conninfo: str
) -> None:
    database = Database(conninfo, max_pool_size=1)
    with database.connection():
        must_be_unavailable(use_it, database)
    use_it(database)
    database.close()


def test_a_request_without_a_deadline_of_its_own_still_ends(
    distant: Database, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (database_module, recorder_module):
        monkeypatch.setattr(module, "deadline", partial(deadline, SECONDS))
    proxy.refuse()
    for use_it in (write, read, use):
        with pytest.raises(Unavailable):
            use_it(distant)


def test_services_can_be_built_while_the_server_is_away(proxy: Proxy) -> None:
    proxy.refuse()
    bookings = EventSourcedApplication(Database(proxy.conninfo))
    with deadline(SECONDS), pytest.raises(Unavailable):
        bookings.head()
    proxy.accept()
    assert bookings.head() == 0
    bookings.close()
