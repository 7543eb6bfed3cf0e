"""Refused attempts to book are kept for the link's owner, by call and page alike."""

import logging

import psycopg
from flask import Flask, Response, g, request

from domain.errors import Unavailable
from interface.current import services
from interface.invitation import link_id_in
from interface.metrics import REDEEMING

REASONS = {
    "link-redeemed",
    "link-expired",
    "link-revoked",
    "slot-taken",
    "slot-not-offered",
    "idempotency-mismatch",
}
"""What only somebody is told whose link exists."""

log = logging.getLogger(__name__)


def init_app(app: Flask) -> None:
    """Look at every refusal once it is told. Opening a link is no attempt: scanners do."""
    app.after_request(_keep)


def _keep(response: Response) -> Response:
    if request.endpoint in REDEEMING and g.get("refusal") in REASONS:
        current = services()
        link_id = link_id_in((request.view_args or {})["token"])
        address = request.remote_addr or ""
        try:
            current.attempts.record(link_id, reason=g.refusal, address=address, now=current.now())
        except (Unavailable, psycopg.Error) as error:
            log.warning("a refused attempt was not kept: %s", error)
    return response
