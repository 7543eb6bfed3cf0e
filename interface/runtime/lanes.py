"""Lanes: each kind of work has threads of its own, and a short queue in front of them.

Work that takes long can fill its own lane only. What waits holds no thread, and what does not
fit in is refused at once.

Of the threads that are idle, the one that worked last gets what comes next: its memory is still in
the caches of the processor, and under little load the others are not touched at all.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread

Work = Callable[[], None]
_Task = tuple[Work, "asyncio.Future[None]"]


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
        self._lock = Lock()
        self._waiting: deque[_Task] = deque()
        self._idle: list[SimpleQueue[_Task]] = []
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
        with self._lock:
            given = self._idle.pop() if self._idle else None
            if given is None:
                self._waiting.append((work, done))
        if given is not None:
            given.put((work, done))
        await done

    def _work(self) -> None:
        given: SimpleQueue[_Task] = SimpleQueue()
        task = self._next(given)
        while True:
            work, done = task or given.get()
            try:
                work()
            except BaseException as error:  # noqa: BLE001 - raised again where it is awaited
                outcome: BaseException | None = error
            else:
                outcome = None
            task = self._next(given)
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                done.get_loop().call_soon_threadsafe(self._finish, done, outcome)

    def _next(self, given: "SimpleQueue[_Task]") -> "_Task | None":
        """Returns the work that has waited longest; None if the thread is idle until it gets some.

        Called before anybody hears that the thread has finished: whoever comes then finds it.
        """
        with self._lock:
            if self._waiting:
                return self._waiting.popleft()
            self._idle.append(given)
            return None

    def _finish(self, done: asyncio.Future[None], outcome: BaseException | None) -> None:
        self._unfinished -= 1
        self.finished += 1
        if done.cancelled():
            return
        if outcome is None:
            done.set_result(None)
        else:
            done.set_exception(outcome)
