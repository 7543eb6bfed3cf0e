"""Of several hosts, the primary is tried first, and one that does not commit is tried last."""

from collections.abc import Callable

import pytest
from psycopg.conninfo import conninfo_to_dict

from application.eventstore import hosts as hosts_module
from application.eventstore.conninfo import with_defaults
from application.eventstore.hosts import Address, Hosts

A, B = Address("a.example.org", "5432"), Address("b.example.org", "5433")
BOTH = "postgresql://a.example.org:5432,b.example.org:5433/admitone?sslmode=verify-full"


def order(hosts: Hosts) -> tuple[object, object]:
    parts = conninfo_to_dict(hosts.conninfo())
    assert (parts["dbname"], parts["sslmode"]) == ("admitone", "verify-full")
    return parts["host"], parts["port"]


AS_NAMED = ("a.example.org,b.example.org", "5432,5433")
REVERSED = ("b.example.org,a.example.org", "5433,5432")


def test_several_hosts_lead_to_the_one_that_takes_writes_unless_the_address_says_otherwise() -> (
    None
):
    def attrs(conninfo: str) -> object:
        completed = with_defaults(conninfo, application_name="admitone")
        return conninfo_to_dict(completed).get("target_session_attrs")

    assert attrs(BOTH) == "read-write"
    assert attrs(f"{BOTH}&target_session_attrs=any") == "any"
    assert attrs("host=a.example.org") is None


def test_a_host_that_did_not_commit_is_tried_last_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hosts = Hosts(BOTH)
    assert order(hosts) == AS_NAMED
    hosts.avoid(A)
    assert order(hosts) == REVERSED
    monkeypatch.setattr(hosts_module, "AVOIDED_SECONDS", 0.0)
    assert order(hosts) == AS_NAMED


def test_only_older_connections_to_an_avoided_host_are_given_up() -> None:
    hosts = Hosts(BOTH)
    assert not hosts.was_left(A, since=0.0)
    hosts.avoid(A)
    assert hosts.was_left(A, since=0.0)
    assert not hosts.was_left(B, since=0.0)
    assert not hosts.was_left(A, since=float("inf"))


def test_whoever_follows_a_primary_leaves_all_other_hosts() -> None:
    hosts = Hosts(BOTH)
    hosts.follow(Address("c.example.org", "5432"))
    assert (hosts.was_left(A, since=0.0), hosts.was_left(B, since=0.0)) == (False, False)
    hosts.follow(B)
    assert (hosts.was_left(A, since=0.0), hosts.was_left(B, since=0.0)) == (True, False)
    assert order(hosts) == REVERSED


def test_the_only_host_is_never_avoided() -> None:
    hosts = Hosts("host=a.example.org dbname=admitone")
    hosts.avoid(A)
    assert not hosts.was_left(A, since=0.0)
    assert hosts.conninfo() == "host=a.example.org dbname=admitone"


@pytest.mark.parametrize(
    ("find_primary", "expected"),
    [
        (lambda: B, REVERSED),
        (lambda: A, AS_NAMED),
        (lambda: Address("c.example.org", "5432"), AS_NAMED),
        (lambda: None, AS_NAMED),
    ],
)
def test_the_primary_that_the_cluster_names_is_tried_first(
    find_primary: Callable[[], Address | None], expected: tuple[str, str]
) -> None:
    assert order(Hosts(BOTH, find_primary)) == expected


def test_a_host_that_did_not_commit_is_believed_if_the_cluster_names_it() -> None:
    hosts = Hosts(BOTH, lambda: A)
    hosts.avoid(A)
    assert order(hosts) == AS_NAMED


def test_a_host_may_be_named_by_its_address_alone() -> None:
    hosts = Hosts("hostaddr=10.0.0.1,10.0.0.2 port=5433", lambda: Address("10.0.0.2", "5433"))
    parts = conninfo_to_dict(hosts.conninfo())
    assert (parts["hostaddr"], parts["port"]) == ("10.0.0.2,10.0.0.1", "5433,5433")
