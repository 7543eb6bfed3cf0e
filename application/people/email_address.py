"""The one rule for e-mail addresses: exactly one recipient, in one spelling.

Syntax alone is checked, without asking DNS: only mail that arrives proves more.
"""

import re

from domain.errors import Sentence

# Domains that exist inside one network only.
_LOCAL_DOMAINS = ("arpa", "internal", "invalid", "local", "localhost", "onion", "test")

# The form of nearly all addresses. The library accepts it too, but takes twenty times as long, and
# a twentieth of a second to load.
_PLAIN = re.compile(
    r"(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@"
    r"(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9]|-(?!-)){0,30}[A-Za-z0-9]\.)+[A-Za-z]{2,30})"
)
_LONGEST_PLAIN = 64  # so that no part of it can be too long


class InvalidEmailAddress(ValueError):
    """Text that is not one usable e-mail address; `sentence` tells people why."""

    def __init__(self, sentence: Sentence) -> None:
        super().__init__(sentence)
        self.sentence = sentence


def normalized_email_address(text: str, *, may_be_local: bool = False) -> str:
    """Returns the address in the spelling that is stored; raises `InvalidEmailAddress`.

    The part before the @ stays as it was typed, without the space around it. The domain is
    in lower case and, where it is internationalised, in Unicode. An address has at most 254
    bytes of UTF-8. Only with `may_be_local` may its domain be one that the internet does not
    know, such as `localhost`, `nas.local` or a name without a dot.
    """
    address = text.strip()
    plain = _PLAIN.fullmatch(address) if len(address) <= _LONGEST_PLAIN else None
    if plain is not None and (may_be_local or _is_public(plain["domain"].lower())):
        return f"{plain['local']}@{plain['domain'].lower()}"
    from application.people import email_syntax  # slow, and rarely needed

    try:
        parts = email_syntax.parts_of(address)
    except email_syntax.EmailNotValidError:
        raise InvalidEmailAddress(
            Sentence("Enter one e-mail address, such as name@example.org.")
        ) from None
    if not may_be_local and not _is_public(parts.ascii_domain):
        raise InvalidEmailAddress(
            Sentence("The part after the @ must be a public domain, such as example.org.")
        )
    return f"{address.rpartition('@')[0]}@{parts.domain}"


def spellings(text: str) -> tuple[str, str]:
    """Returns an address as typed, and as it is stored if it is one: search for both.

    What earlier versions accepted was stored as typed.
    """
    try:
        return text, normalized_email_address(text, may_be_local=True)
    except InvalidEmailAddress:
        return text, text


def has_public_domain(address: str) -> bool:
    """Returns True if the domain of a stored address is one that the internet knows."""
    return _is_public(address.rpartition("@")[2])


def _is_public(domain: str) -> bool:
    _, dot, top_level = domain.rpartition(".")
    return bool(dot) and top_level not in _LOCAL_DOMAINS and not top_level[-1].isdigit()
