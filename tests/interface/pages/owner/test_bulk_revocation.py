"""Many links are revoked from the list with one wait for the view, whatever the projector does."""

from typing import Any

import pytest

from domain.errors import ViewBehind
from interface.bootstrap import Services
from projections.engine import positions
from tests.support.owner import Owner
from tests.support.signed_in_browser import SignedIn


def test_with_a_stopped_projector_all_links_are_revoked_after_one_wait(
    person: SignedIn, owner: Owner, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    calendar_id = owner.new_calendar()
    links = [owner.new_link(calendar_id)["id"] for _ in range(10)]
    owner.catch_up()
    waits: list[int] = []

    def stopped(_database: Any, _names: Any, position: int) -> None:
        waits.append(position)
        raise ViewBehind

    monkeypatch.setattr(positions, "wait_for", stopped)
    form = {"form_token": person.form_token, "link": links}
    answer = person.client.post("/links/revoke", data=form)
    assert (answer.status_code, answer.location) == (303, "/links?notice=links-revoked")
    assert waits == [services.event_store.head()]
    revoked = services.database.fetch_all("SELECT id FROM log WHERE topic = 'link.revoked'")
    assert {str(row["id"]) for row in revoked} == set(links)
