"""A web host that names all hosts of the database itself, without HAProxy.

The Patroni of the primary is killed alone: its PostgreSQL still says that it takes writes, and
never commits.
"""

from pathlib import Path
from time import monotonic

from psycopg.conninfo import make_conninfo

from tests.cluster.cluster import Cluster
from tests.cluster.drill import all_is_right, another_primary, drill
from tests.cluster.hosts import Hosts
from tests.cluster.node import DATABASE, PASSWORD, REST
from tests.support.examples import calendar_json
from tests.support.service import Service, running_service
from tests.support.waiting import wait_until

SECONDS = 15.0
"""Within this time after the new primary answers, the host that nobody tells has found it."""


def test_a_primary_that_never_commits_is_left(
    cluster: Cluster, hosts: Hosts, tmp_path: Path
) -> None:
    old = cluster.the_primary()
    in_order = [old, *(node for node in cluster.nodes if node is not old)]
    way = make_conninfo(
        host=",".join(node.outside for node in in_order),
        dbname=DATABASE,
        user=DATABASE,
        password=PASSWORD,
    )
    urls = ",".join(f"http://{node.outside}:{REST}" for node in in_order)
    settings = hosts.settings | {"ADMITONE_PATRONI_URLS": urls}
    (tmp_path / "web3").mkdir()
    with running_service(tmp_path / "web3", way, "--web-only", **settings) as host:
        host.new_calendar()
        hosts.first.new_calendar()  # each with a key, which nobody can make meanwhile
        with drill(cluster, hosts, tmp_path) as running:
            cluster.kill_patroni(old)
            another_primary(cluster, old)
            answers_at = monotonic()
            new = wait_for_calendar(hosts.first)
            # Nothing is written there: who only reads leaves the former primary as well.
            wait_until(lambda: host.get(new).status_code == 200)
            read = monotonic() - answers_at
            wait_for_calendar(host)
            took = monotonic() - answers_at
            assert old.takes_writes()
    all_is_right(
        running,
        "Patroni alone killed; without HAProxy,"
        f" read after {read:.1f} s and written after {took:.1f} s",
    )
    assert took <= SECONDS


def wait_for_calendar(host: Service) -> str:
    """Makes a calendar, once that is possible, and returns its path in the API."""
    made: list[str] = []

    def is_made() -> bool:
        answer = host.post("/calendars", calendar_json())
        if answer.status_code == 201:
            made.append(f"/calendars/{answer.json['id']}")
        return bool(made)

    wait_until(is_made)
    return made[0]
