"""The current request: what it says, who sent it, and how people reach this service."""

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from flask import g, has_app_context
from werkzeug import Request

from application.eventstore.database import Database
from application.people.security_log import STRANGER, Origin, account_actor
from interface import ip_address
from interface.bootstrap import Services
from interface.current_request import this_request

LARGEST_BODY = 64 * 1024


class IncomingRequest(Request):
    """A request as werkzeug reads it, with a body that is not too large."""

    max_content_length = LARGEST_BODY


def sent() -> Request:
    """Returns what the client has sent."""
    request = this_request()
    if request.parsed is None:
        request.parsed = IncomingRequest(request.environ)
    return request.parsed


def services() -> Services:
    """Returns the services of this application."""
    return this_request().services


def read_database() -> Database:
    """Returns where this request reads views: from a standby, if it may and there is one.

    It is the same one for the whole request.
    """
    request = this_request()
    if request.database is None:
        standby = None if request.reads_newest else services().standby
        request.database = services().database if standby is None else standby.choose()
    return request.database


def mail_goes_out() -> bool:
    """Returns True if there is a mail server; else mails become files in the data folder."""
    return services().settings.smtp_url is not None


def is_https() -> bool:
    """Returns True if people reach the service by HTTPS, so that cookies can require it."""
    return services().settings.public_address.scheme == "https"


def client_address() -> str:
    """Returns the address by which the client of this request is counted."""
    return counted_address(
        this_request().environ.get("REMOTE_ADDR") or "",
        this_request().environ.get("HTTP_X_FORWARDED_FOR", ""),
        trusted=services().settings.trusted_proxies,
    )


def origin_of_request() -> Origin:
    """Returns who sent this request, as far as that is known by now, and from which address."""
    caller = this_request().caller
    if caller is not None:
        return Origin(caller.actor, client_address())
    session = g.get("session") if has_app_context() else None
    actor = account_actor(session.account.id) if session is not None else STRANGER
    return Origin(actor, client_address())


def counted_address(
    peer: str, forwarded_for: str, *, trusted: Collection[IPv4Network | IPv6Network]
) -> str:
    """Returns an IPv4 address or the /64 of an IPv6 address; else `peer` as it is.

    That is the address of the peer. If a trusted proxy is the peer, it is the right-most
    address in `forwarded_for` that is not trusted: a client can send that header with
    anything in it, but each proxy appends the address that it sees itself.
    """
    client = _parsed(peer)
    if client is None:
        return peer
    for text in reversed(forwarded_for.split(",")):
        hop = _parsed(text)
        if hop is None or not any(client in network for network in trusted):
            break
        client = hop
    return ip_address.customer(client)


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """Returns an address, which may stand in brackets and before a port; None for other text."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    return ip_address.parse(host)
