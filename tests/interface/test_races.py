"""Whoever races whom over HTTP: one booking, and true answers for everybody else."""

from functools import partial

from tests.service import Service, at_once


def test_two_hundred_people_race_for_one_link(service: Service) -> None:
    calendar = service.new_calendar()
    for _ in range(20):
        (link,) = service.new_links(calendar, 1)
        start = service.slots(link["token"])[0]
        answers = at_once([partial(service.redeem, link["token"], start)] * 200)
        statuses = sorted(answer.status for answer in answers)
        assert statuses == [201] + [410] * 199
