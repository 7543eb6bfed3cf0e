"""Work that a process does beside its own, in a thread that stops with it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def background_thread(name: str, work: Callable[[], None], stop: Event) -> Iterator[None]:
    """Runs `work` in a thread during the block. Sets `stop` at its end and waits for the thread.

    `work` has to end soon after `stop` is set.
    """
    thread = Thread(target=work, name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
