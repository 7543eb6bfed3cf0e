"""Readers of settings. Each returns the value of a text, or says by `Unusable` what it must be."""

import ipaddress
import os
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from interface import smtp_address, web_address
from interface.outgoing import outgoing_url
from interface.outgoing.outgoing_url import Proxy
from interface.smtp_address import InvalidSmtpAddress, SmtpServer
from interface.web_address import InvalidAddress

SHORTEST_SECRET = 32


class Unusable(ValueError):
    """A value that can't be used. The message completes a sentence: "must be …"."""


def whole_number(lowest: int, highest: int) -> Callable[[str], int]:
    """Returns a function that reads a number within these bounds."""

    def parse(text: str) -> int:
        is_number = text.isascii() and text.isdigit() and len(text) < 10
        number = int(text) if is_number else None
        if number is None or not lowest <= number <= highest:
            raise Unusable(f"must be a whole number from {lowest} to {highest}, not {text!r}")
        return number

    return parse


def choice(*allowed: str) -> Callable[[str], str]:
    """Returns a function that reads one of these words."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise Unusable(f"must be {' or '.join(allowed)}, not {text!r}")
        return text

    return parse


def yes_or_no(text: str) -> bool:
    """Reads `yes` as True and `no` as False."""
    return choice("yes", "no")(text) == "yes"


def ip_address(text: str) -> str:
    """Returns an IP address of this machine in its normal form."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if text == "localhost" else text)
    except ValueError:
        address = None
    if address is None or "%" in text:  # the web server does not know scopes
        raise Unusable(f"must be an IP address of this machine, not {text!r}")
    return str(address)


def networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Reads addresses and networks, separated by commas; `none` stands for no network."""
    if text == "none":
        return ()
    return tuple(map(_network, _parts(text)))


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        network = None
    if network is None or network.prefixlen == 0 or "%" in text:
        raise Unusable(
            f"must be `none`, or IP addresses and networks such as 10.0.0.0/8, not {text!r}"
        )
    return network


def quoted(address: str) -> str:
    """Returns the end of a refusal, which quotes the address unless it may hold a password."""
    return "" if "@" in address else f", not {address!r}"


def issuer(text: str) -> str:
    """Returns the issuer as it is: providers compare it character by character."""
    try:
        url = outgoing_url.parse(text)
    except InvalidAddress as error:
        raise Unusable(f"{error}, such as https://id.example.org{quoted(text)}") from error
    is_local = url.host in ("localhost", "127.0.0.1", "::1")
    if not text.startswith("https://") and not (is_local and text.startswith("http://")):
        raise Unusable(f"must be an https:// address{quoted(text)}")
    if set(text) & set("?#"):
        raise Unusable(f"must be an address without a query{quoted(text)}")
    return text


def domains(text: str) -> tuple[str, ...]:
    """Reads domains, separated by commas, in lower case."""
    return _parts(text.lower())


def scopes(text: str) -> tuple[str, ...]:
    """Reads scopes of OpenID Connect, separated by spaces."""
    scopes = tuple(text.split())
    if "openid" not in scopes:
        raise Unusable(f"must hold openid, and {text!r} does not")
    return scopes


def roles_by_value(text: str) -> tuple[tuple[str, str], ...]:
    """Reads pairs of a value and the role that it stands for, such as staff=owner."""
    from application.people.roles import ROLES  # not needed otherwise

    pairs = []
    for part in _parts(text):
        value, separator, role = part.rpartition("=")
        if not separator or not value.strip() or role.strip() not in ROLES:
            raise Unusable(
                f"must be values and roles such as staff=owner, not {part!r};"
                f" roles are {', '.join(ROLES)}"
            )
        pairs.append((value.strip(), role.strip()))
    return tuple(pairs)


def database_url(text: str) -> str:
    """Returns the URL. It is never quoted in an error: it may hold a password."""
    # Not needed where the database is the embedded one, and slow to load.
    from application.eventstore import conninfo

    try:
        conninfo.check(text)
    except conninfo.InvalidConninfo as error:
        raise Unusable(str(error)) from error
    return text


def patroni_urls(text: str) -> tuple[str, ...]:
    """Reads addresses without a path, separated by commas."""
    urls = _parts(text)
    for url in urls:
        try:
            address = web_address.parse(url)
        except InvalidAddress as error:
            raise Unusable(f"{error}, such as http://10.0.0.1:8008{quoted(url)}") from error
        if address.path.strip("/"):
            raise Unusable(f"must be addresses without a path{quoted(url)}")
    return urls


def proxy(text: str) -> Proxy:
    """Returns the proxy. The text is never quoted in an error: it may hold a password."""
    try:
        return outgoing_url.parse_proxy(text)
    except InvalidAddress as error:
        raise Unusable(f"{error}, such as http://proxy.example.org:3128") from error


def certificates(text: str) -> Path:
    """Reads the path of a file of certificates, and returns it as an absolute one."""
    import ssl  # not needed otherwise, and slow to load

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(text)
    except OSError:  # also of ssl
        raise Unusable(f"must be a file of certificates (PEM), and {text!r} is not") from None
    return Path(text).absolute()


def secrets(text: str) -> tuple[str, ...]:
    """Reads long keys, separated by commas."""
    keys = _parts(text)
    if any(len(key) < SHORTEST_SECRET for key in keys):
        raise Unusable(f"must be keys of at least {SHORTEST_SECRET} characters")
    return keys


def secret(text: str) -> str:
    """Reads one long key."""
    if len(text) < SHORTEST_SECRET:
        raise Unusable(f"must be a key of at least {SHORTEST_SECRET} characters")
    return text


def smtp_server(text: str) -> SmtpServer:
    """Returns the server. Its address is never quoted in an error: it may hold a password."""
    try:
        return smtp_address.parse(text)
    except InvalidSmtpAddress as error:
        raise Unusable(str(error)) from error


def mail_address(text: str) -> str:
    """Reads one e-mail address in its normal form."""
    # Slow to load, and needed by few.
    from application.people.email_address import InvalidEmailAddress, normalized_email_address

    try:
        return normalized_email_address(text, may_be_local=True)
    except InvalidEmailAddress as error:
        raise Unusable(f"must be one e-mail address, not {text!r}") from error


def new_folder(text: str) -> Path:
    """Returns the absolute path of a folder that is created later if it does not exist."""
    return (folder(text) if os.path.exists(text) else Path(text)).absolute()


def folder(text: str) -> Path:
    """Reads the path of a folder that exists."""
    if not os.path.isdir(text):
        raise Unusable(f"must be a folder, and {text!r} is not")
    return Path(text)


def _parts(text: str) -> tuple[str, ...]:
    """Returns what commas separate, without blanks around it and without empty parts."""
    return tuple(part for part in map(str.strip, text.split(",")) if part)
