"""The form of a calendar says exactly what the calendar has."""

from datetime import date, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.booking_rules import WEEKDAYS, Availability, Hours
from domain.wall_clock import time_of_day
from interface.pages.owner.calendar_form import CalendarForm, Override
from tests.support.desk import terms

TIMES = st.sampled_from([0, 60, 120, 545, 720, 1260, 1380, 1440])
DAYS = st.lists(TIMES, max_size=4, unique=True).map(
    lambda times: tuple(
        (time_of_day(opens), time_of_day(closes))
        for opens, closes in zip(sorted(times)[::2], sorted(times)[1::2], strict=False)
    )
)
DATES = st.integers(0, 12).map(lambda n: (date(2026, 12, 24) + timedelta(days=n)).isoformat())


@given(
    st.dictionaries(st.sampled_from(WEEKDAYS), DAYS.filter(bool)),
    st.dictionaries(DATES, DAYS),
)
@settings(deadline=None, max_examples=60)
def test_a_form_that_is_sent_back_unchanged_changes_nothing(
    weekly: dict[str, Hours], overrides: dict[str, Hours]
) -> None:
    before = terms(availability=Availability(weekly, overrides))
    parsed = CalendarForm.of(before).parse()
    assert parsed.errors == {}
    assert parsed.terms == before


def test_a_run_of_dates_is_one_row_only_where_the_hours_are_the_same() -> None:
    morning: Hours = (("09:00", "12:00"),)
    overrides: dict[str, Hours] = {
        "2026-12-31": (),
        "2027-01-01": (),
        "2027-01-02": morning,
        "2027-01-04": morning,
        "2027-01-05": morning,
    }
    calendar = terms(availability=Availability({}, overrides))
    assert CalendarForm.of(calendar).overrides == (
        Override("2026-12-31", "closed", "2027-01-01"),
        Override("2027-01-02", "9:00\u202fAM–12:00\u202fPM"),
        Override("2027-01-04", "9:00\u202fAM–12:00\u202fPM", "2027-01-05"),
    )


def test_more_days_than_a_row_takes_are_several_rows() -> None:
    first = date(2026, 1, 1)
    days: dict[str, Hours] = {(first + timedelta(days=n)).isoformat(): () for n in range(800)}
    calendar = terms(availability=Availability({}, days))
    form = CalendarForm.of(calendar)
    assert [len(row.dates) for row in form.overrides] == [366, 366, 68]
    assert form.parse().terms == calendar
