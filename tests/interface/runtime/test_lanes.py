"""The thread that worked last works next, so that little load keeps few threads awake."""

import asyncio
from functools import partial
from threading import Barrier, get_ident

from interface.runtime.lanes import Lane

THREADS = 4


def meet(barrier: Barrier) -> None:
    """Waits until as many as the barrier is for are there."""
    barrier.wait()


def test_work_that_comes_alone_is_always_done_by_the_same_thread() -> None:
    barrier = Barrier(THREADS)
    workers: list[int] = []

    async def come() -> None:
        lane = Lane("test", threads=THREADS, waiting=0)
        # Together first: a thread that has just been started would be idle later than others.
        await asyncio.gather(*(lane.run(partial(meet, barrier)) for _ in range(THREADS)))
        for _ in range(3 * THREADS):
            await lane.run(lambda: workers.append(get_ident()))

    asyncio.run(come())
    assert len(set(workers)) == 1


def test_work_that_waits_is_done_in_its_order() -> None:
    places = range(9)
    order: list[int] = []

    async def come() -> None:
        lane = Lane("test", threads=1, waiting=len(places))
        await asyncio.gather(*(lane.run(partial(order.append, place)) for place in places))

    asyncio.run(come())
    assert order == [*places]
