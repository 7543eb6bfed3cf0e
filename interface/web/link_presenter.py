"""Presents a link to its owner, whether it was just written or read from the list."""

from collections.abc import Mapping
from typing import Any

from application.people import personal_data
from domain.link import LinkStatus, SingleUseLink
from interface.web.request_context import services
from projections.views import link_list
from projections.views.link_list import LinkDetails


def present_link(link: LinkDetails) -> dict[str, Any]:
    """Returns the fields of a link, with `url` and `token` while it is active."""
    output = {**vars(link)}
    if link.status is LinkStatus.ACTIVE:
        token = services().tokens.for_link(link.id)
        output |= {"url": booking_url(token), "token": token}
    return output


def present_issued(link: SingleUseLink, typed: Mapping[str, str]) -> dict[str, Any]:
    """Returns the fields of a link as it was issued, now or by an earlier request."""
    return present_link(link_list.details_of(link, typed, now=link.created_on))


def typed_for(link: SingleUseLink) -> dict[str, str]:
    """Returns what is stored of the texts that were typed for a link."""
    row = personal_data.find(services().database, link.id, link.typed_version)
    return row.data if row else {}


def booking_url(token: str) -> str:
    """Returns the address at which the bearer of this token books."""
    return f"{services().settings.public_url}/b/{token}"
