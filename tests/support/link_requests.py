"""A request for a new link, as the bearer of a link makes it."""

from typing import Any
from uuid import UUID

from domain.link import SingleUseLink
from interface.bootstrap import Services
from tests.support.examples import NOW


def ask_for_new_link(services: Services, link: dict[str, Any]) -> None:
    """Asks in German for a new link in the place of this one, as Bob Byte."""
    services.link_requests.ask(
        services.event_store.get(SingleUseLink, UUID(link["id"])),
        name="Bob Byte",
        email="bob@example.org",
        message="Sorry, I was late.",
        language="de",
        now=NOW,
    )
