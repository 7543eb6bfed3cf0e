"""Erases again whoever was forgotten, after personal data came back from a backup."""

from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from domain.errors import AdmitOneError
from interface.bootstrap import Services
from projections.evidence.erasure_list import ErasureList, ListedErasure


class ListDamaged(AdmitOneError):
    """The list of erasures beside the checkpoints can't be read."""


class Reapplied(NamedTuple):
    """The number of rows of personal data that were erased, and of erasures recorded anew.

    `left` has the bookings that were made anew with the link of somebody who was forgotten.
    """

    rows: int
    recorded: int
    left: list[UUID]

    def sentences(self) -> Iterator[str]:
        """Yields what operators should know beside the number of rows."""
        if self.recorded:
            erasures = "erasure" if self.recorded == 1 else "erasures"
            yield f"Recorded {self.recorded} {erasures} that the log had lost."
        for booking_id in self.left:
            yield (
                f"Left booking {booking_id} as it is: it was made after the return to an earlier"
                " moment, with a link that somebody who was forgotten had used. The link may still"
                " say who that was."
            )


def reapply_all(services: Services) -> Reapplied:
    """Repeats the erasures in the log and in the list beside the checkpoints."""
    rows = services.erasure.reapply()
    recorded = 0
    erasures = listed(services)
    # Twice: what an erasure leaves, because the booking was made anew, may be forgotten by another.
    for _ in range(2):
        left = []
        for erasure in erasures:
            done = services.erasure.forget_again(
                erasure.booking_id, erasure.made, erasure.link_ids, now=services.now()
            )
            if done is None:
                left.append(erasure)
            else:
                rows += done.rows
                recorded += done.is_recorded
        erasures = left
    return Reapplied(rows, recorded, sorted({erasure.booking_id for erasure in left}))


def listed(services: Services) -> list[ListedErasure]:
    """Returns the erasures in the list. Raises `ListDamaged`."""
    try:
        return ErasureList(services.settings.checkpoints_folder).all()
    except (OSError, ValueError) as error:
        raise ListDamaged from error


def count_come_back(services: Services) -> int:
    """Returns how many bookings and links have personal data although they were forgotten."""
    erasures = [({each.booking_id, *each.link_ids}, each) for each in listed(services)]
    found = services.erasure.that_came_back(set().union(*(ids for ids, _ in erasures)))
    forgotten: set[UUID] = set()
    for ids, erasure in erasures:
        if ids & found and not services.erasure.is_made_anew(erasure.booking_id, erasure.made):
            forgotten |= ids & found
    return len(forgotten)
