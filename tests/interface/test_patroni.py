"""The primary is the host that leads by its own word, in Patroni's API."""

from application.eventstore.hosts import Address
from interface import patroni
from tests.support.patroni_api import node
from tests.support.service import free_port

MEMBERS = [
    {"name": "n1", "role": "replica", "host": "10.0.0.1", "port": 5432},
    {"name": "n2", "role": "leader", "host": "10.0.0.2", "port": 5433},
]


def test_the_node_that_leads_names_the_primary() -> None:
    stale = [MEMBERS[0] | {"role": "leader"}, MEMBERS[1]]
    with (
        node(leads=False, cluster={"members": stale}) as replica,
        node(leads=True, cluster={"members": MEMBERS}) as leader,
    ):
        silent = f"http://127.0.0.1:{free_port()}"
        assert patroni.primary([silent, replica, leader]) == Address("10.0.0.2", "5433")
        assert patroni.primary([silent, replica]) is None
        assert [patroni.answers(url) for url in (silent, replica)] == [False, True]


def test_an_answer_of_something_else_names_nobody() -> None:
    answers: list[object] = [[], {"members": 1}, {"members": [1, {"role": "leader"}]}, {}]
    for cluster in answers:
        with node(leads=True, cluster=cluster) as url:
            assert patroni.primary([url]) is None
