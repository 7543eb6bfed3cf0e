"""Leads the connections of a process to the primary that the cluster names.

A former primary whose cluster manager was killed neither ends its sessions nor refuses to write. A
projector or a sender would stay there, where nothing happens any more, and a web worker would show
people what is no longer so until somebody writes.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Event, Thread

from application.eventstore.hosts import FindPrimary, Hosts
from interface.runtime.background_thread import background_thread

EVERY_SECONDS = 5.0


@contextmanager
def following(
    find_primary: FindPrimary | None, followers: Sequence[Hosts], stop: Event
) -> Iterator[None]:
    """Asks for the primary in a thread during the block, and leaves all other hosts.

    Does nothing if nobody can be asked. Sets `stop` at the end of the block.
    """
    if find_primary is None:
        yield
        return
    with background_thread("primary", partial(_follow, find_primary, followers, stop), stop):
        yield


def start(find_primary: FindPrimary | None, followers: Sequence[Hosts]) -> None:
    """Does what `following` does until the process ends."""
    if find_primary is not None:
        work = (find_primary, followers, Event())
        Thread(target=_follow, args=work, name="primary", daemon=True).start()


def _follow(find_primary: FindPrimary, followers: Sequence[Hosts], stop: Event) -> None:
    while not stop.wait(EVERY_SECONDS):
        primary = find_primary()
        if primary is not None:
            for hosts in followers:
                hosts.follow(primary)
