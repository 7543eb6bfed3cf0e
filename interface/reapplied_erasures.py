"""Erases again whoever was forgotten, after personal data came back from a backup."""

from typing import NamedTuple

from domain.errors import AdmitOneError
from interface.bootstrap import Services
from projections.evidence.erasure_list import Erasure, ErasureList


class ListDamaged(AdmitOneError):
    """The list of erasures beside the checkpoints can't be read."""


class Reapplied(NamedTuple):
    """The number of rows of personal data that were erased, and of erasures recorded anew."""

    rows: int
    recorded: int


def reapply_all(services: Services) -> Reapplied:
    """Repeats the erasures in the log and in the list beside the checkpoints."""
    rows = services.erasure.reapply()
    recorded = 0
    for erasure in listed(services):
        is_new, erased = services.erasure.forget_again(
            erasure.booking_id, erasure.link_ids, now=services.now()
        )
        rows += erased
        recorded += is_new
    return Reapplied(rows, recorded)


def listed(services: Services) -> list[Erasure]:
    """Returns the erasures in the list. Raises `ListDamaged`."""
    try:
        return ErasureList(services.settings.checkpoints_folder).all()
    except (OSError, ValueError) as error:
        raise ListDamaged from error


def count_come_back(services: Services) -> int:
    """Returns the number of bookings and links have personal data although they were forgotten."""
    ids = {each for erasure in listed(services) for each in (erasure.booking_id, *erasure.link_ids)}
    return services.erasure.count_come_back(ids)
