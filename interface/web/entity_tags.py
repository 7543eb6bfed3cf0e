"""Entity tags, by which programs that poll are told cheaply that nothing has changed.

A tag is made from what a response depends on, not from the response: a request that names it in
If-None-Match is answered before anything is looked up. That is the state of the views, the
request, who reads, and, where the clock decides, the minute. A tag is weak, unless it also names
the version that a change has to name in If-Match.
"""

from hashlib import sha256
from math import ceil

from interface.version import version
from interface.web.fields import whole_number
from interface.web.request_context import read_database, sent, services
from projections.engine import positions


def entity_tag(*views: str, reader: object = None, by_the_minute: bool = False) -> str:
    """Returns the tag, without quotes, of what the current request reads from these views.

    `reader` is the account if the response depends on it. A response that changes by the clock
    alone, such as one with the status of links, has a new tag each minute.
    """
    current = services()
    minute = ceil(current.now().timestamp() / 60) if by_the_minute else None
    return tag_of(
        *(str(reader), minute, sent().path, sent().query_string),
        *positions.state_of(read_database(), views),
    )


def tag_of(*depends_on: object) -> str:
    """Returns the tag of a response that depends on these values alone.

    And on the version of the service and its public address, which every response depends on.
    """
    everything = (version(), services().settings.public_url, *depends_on)
    return sha256(repr(everything).encode()).hexdigest()[:24]


def with_version(tag: str, version: str) -> str:
    """Returns a tag that also names the version of what was read, for If-Match."""
    return f"{version}-{tag}"


def version_in(tag: str) -> int:
    """Returns the version that a tag names; 0, which nothing has, if it names none."""
    return whole_number(tag.partition("-")[0]) or 0


def known_tag(tag: str) -> str | None:
    """Returns the tag, with a version or not, of the response if the client has it already.

    `*` names no tag: it asks if there is anything.
    """
    named = sent().if_none_match
    known = () if named.star_tag else named.as_set(include_weak=True)
    return next((each for each in known if each and each.rpartition("-")[2] == tag), None)
