"""The service's way to append beats the library's on the same cluster.

With commits of 5 ms, and in a network in which everything takes 5 ms to arrive.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from time import monotonic

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from application.eventstore.database import Database
from application.eventstore.recorder import EventRecorder
from interface.bootstrap import apply_schema
from tests.benchmarks.at_the_store import CONNECTIONS, new_pair, stock_recorder
from tests.cluster.cluster import Cluster
from tests.cluster.figures import say
from tests.support.waiting import at_once

CALLERS = 64
SECONDS = 8.0
FACTOR = 10


@pytest.mark.parametrize("slow", [Cluster.slow_commits, Cluster.slow_network])
def test_ten_times_the_redemptions_of_the_stock_recorder(
    cluster: Cluster, slow: Callable[[Cluster], AbstractContextManager[None]]
) -> None:
    names = ("throughput_ours", "throughput_stock")
    ways = [cluster.balanced(2, name, "postgres") for name in names]
    with slow(cluster), ExitStack() as stack:  # first: the network ends all connections
        admin = stack.enter_context(
            psycopg.connect(cluster.balanced(2, "postgres", "postgres"), autocommit=True)
        )
        for name in names:
            admin.execute(f"CREATE DATABASE {name}")
            stack.callback(admin.execute, f"DROP DATABASE {name} WITH (FORCE)")
        apply_schema(ways[0])
        database = Database(ways[0], max_pool_size=CONNECTIONS)
        stack.callback(database.close)
        ours = EventRecorder(database)
        stock = stock_recorder(make_conninfo(ways[1]))
        stack.callback(stock.datastore.close)

        def redeem_at_ours() -> None:
            issued, redeemed, people = new_pair()
            ours.insert_events(issued, personal_data=people[:1])
            ours.insert_events(redeemed, personal_data=people[1:])

        def redeem_at_stock() -> None:
            issued, redeemed, _ = new_pair()
            stock.insert_events(issued)
            stock.insert_events(redeemed)

        rates = {}
        for name, redeem in (("ours", redeem_at_ours), ("stock", redeem_at_stock)):
            ends_at = monotonic() + SECONDS

            def call(redeem: object = redeem, ends_at: float = ends_at) -> int:
                done = 0
                while monotonic() < ends_at:
                    assert callable(redeem)
                    redeem()
                    done += 1
                return done

            rates[name] = sum(at_once([call] * CALLERS)) / SECONDS
    say(
        f"{CALLERS} callers, {slow.__name__}: {rates['ours']:.0f} redemptions/s,"
        f" the library's recorder {rates['stock']:.0f}"
    )
    assert rates["ours"] >= FACTOR * rates["stock"]
