"""The endpoint about the API key of the request."""

from typing import Any

from interface.api.decorators import Blueprint, caller, requires
from interface.web.owner_response_schemas import KeyOutput
from interface.web.request_context import services

blueprint = Blueprint(
    "key",
    __name__,
    url_prefix="/api/v1/key",
    description="What the API key of the request may do.",
)


@blueprint.route("")
@requires(None)
@blueprint.response(200, KeyOutput)
def read() -> Any:
    """Read the API key.

    For programs that offer only what their key allows: its scopes are those that the roles of its
    account allow now. `actor` is how events name it.
    """
    found = caller()
    return {
        "account": services().accounts.by_id(found.account_id),
        "scopes": sorted(found.scopes),
        "actor": found.actor,
        "is_agent": found.is_agent,
        "links_a_day": found.links_a_day,
        "links_at_once": found.links_at_once,
    }
