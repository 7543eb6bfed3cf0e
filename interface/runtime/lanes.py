"""Lanes: each kind of work has threads of its own, and a short queue in front of them.

Work that takes long can fill its own lane only. What waits holds no thread, and what does not
fit in is refused at once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread

Work = Callable[[], None]


class LaneFull(Exception):
    """All threads of a lane are taken, and enough work waits for one."""


class Lane:
    """A few threads that do one kind of work in turn, for one event loop.

    `finished` counts what they have done.
    """

    def __init__(self, name: str, *, threads: int, waiting: int) -> None:
        """`waiting` is how much work may wait for a thread."""
        self.finished = 0
        self._most = threads + waiting
        self._unfinished = 0
        self._queue: SimpleQueue[tuple[Work, asyncio.Future[None]]] = SimpleQueue()
        for number in range(threads):
            Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    async def run(self, work: Work) -> None:
        """Does the work in a thread of the lane and returns when it is done.

        Raises `LaneFull` at once if too much waits already, and what `work` raises.
        """
        if self._unfinished >= self._most:
            raise LaneFull
        done = asyncio.get_running_loop().create_future()
        self._unfinished += 1
        self._queue.put((work, done))
        await done

    def _work(self) -> None:
        while True:
            work, done = self._queue.get()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                outcome: BaseException | None = error
            else:
                outcome = None
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                done.get_loop().call_soon_threadsafe(self._finish, done, outcome)

    def _finish(self, done: asyncio.Future[None], outcome: BaseException | None) -> None:
        self._unfinished -= 1
        self.finished += 1
        if done.cancelled():
            return
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)
