"""Presents a link to its owner, whether it was just written or read from the list."""

from dataclasses import fields
from typing import Any

from domain.link import LinkStatus
from interface.web.request_context import services
from projections.views.link_list import LinkDetails

_FIELDS = tuple(field.name for field in fields(LinkDetails))


def present_link(link: LinkDetails) -> dict[str, Any]:
    """Returns the fields of a link, with `url` and `token` while it is active."""
    output = {name: getattr(link, name) for name in _FIELDS}
    if link.status is LinkStatus.ACTIVE:
        token = services().tokens.for_link(link.id)
        output |= {"url": booking_url(token), "token": token}
    return output


def booking_url(token: str) -> str:
    """Returns the address at which the bearer of this token books."""
    return f"{services().settings.public_url}/b/{token}"
