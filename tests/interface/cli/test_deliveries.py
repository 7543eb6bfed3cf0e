"""`admitone deliveries list` and `retry`."""

import pytest

from application.deliveries.delivery import DeliveryState, Outcome
from interface.bootstrap import Services
from tests.support.claims import claim_mail, claims_of
from tests.support.command_line import Command
from tests.support.examples import NOW
from tests.support.http_desk import unknown_id


@pytest.fixture
def parked(services: Services) -> str:
    """The id of a delivery that was given up."""
    account = services.accounts.create(email="ada@example.org", name="Ada", roles=("owner",))
    services.api_keys.create(account, name="Website", now=NOW)
    claimed = claim_mail(services)
    assert claimed is not None
    claims_of(services).settle(Outcome.parked(claimed, answer="550 5.1.1 No such user"))
    return str(claimed.id)


def test_deliveries_are_listed_by_state_and_booking(admitone: Command, parked: str) -> None:
    line = (
        f"{parked}  2026-11-23 08:00 UTC  parked  1  mail new-key to owner  550 5.1.1 No such user"
    )
    assert admitone("deliveries", "list") == (0, f"{line}\n", "")
    assert admitone("deliveries", "list", "--status", "parked").out == f"{line}\n"
    assert admitone("deliveries", "list", "--status", "sent").out == ""
    assert admitone("deliveries", "list", "--booking", unknown_id()).out == ""
    assert admitone("deliveries", "list", "--status", "lost").status == 2


def test_what_was_given_up_is_tried_again(
    admitone: Command, services: Services, parked: str
) -> None:
    done = admitone("deliveries", "retry", parked)
    assert done == (0, f"Delivery {parked} is tried again.\n", "")
    (delivery,) = services.deliveries.newest(limit=9)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DUE, 0)
    claimed = claim_mail(services, now=delivery.next_attempt_at)
    assert claimed is not None
    claims_of(services).settle(Outcome.sent(claimed, answer="250 OK", now=NOW))
    done = admitone("deliveries", "retry", parked)
    assert (done.status, done.err) == (
        1,
        "This delivery was sent or has ended: there is nothing to try again.\n",
    )
    done = admitone("deliveries", "retry", unknown_id())
    assert (done.status, done.err) == (1, "There is no such delivery.\n")
