"""`admitone audit report single-use`: for programs, and as a page to print."""

import json
import stat
from datetime import timedelta
from pathlib import Path

import pytest

from application.commands.new_link import NewLink
from interface.bootstrap import Services
from interface.web.single_use_page import single_use_page
from tests.support.command_line import Command
from tests.support.desk import Desk
from tests.support.every_event import everything_happens
from tests.support.examples import NOW
from tests.support.log_forger import LogForger

REPORT = ("audit", "report", "single-use")


def test_it_is_printed_as_json(admitone: Command, desk: Desk) -> None:
    everything_happens(desk)
    done = admitone(*REPORT)
    assert (done.status, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["holds"] is True
    assert found["period"] == {"from": None, "to": None}
    assert found["counts"]["links"]["redeemed"] == 4


def test_a_statement_that_does_not_hold_is_exit_status_1(
    admitone: Command, desk: Desk, conninfo: str, tmp_path: Path
) -> None:
    desk.redeem(desk.new_link())
    forger = LogForger(conninfo)
    position = forger.repeat(forger.positions("link.redeemed")[0])
    page = tmp_path / "proof.html"
    done = admitone(*REPORT, "--html", str(page))
    assert done.status == 1
    first, *others = json.loads(done.out)["statements"]
    assert (first["holds"], first["violations"]) == (False, [position])
    assert all(each["holds"] for each in others)
    assert f"First positions at fault: {position}" in page.read_text()
    assert "Something below does not hold." in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("period", "told", "links"),
    [
        (("--from", "2026-11-23"), ("2026-11-23T00:00:00Z", None), 2),
        (("--to", "2026-11-23"), (None, "2026-11-24T00:00:00Z"), 1),
        (("--to", "2026-11-23T08:00:00Z"), (None, "2026-11-23T08:00:00Z"), 0),
        (
            ("--from", "2026-11-23T09:00:00+01:00", "--to", "2026-11-23T08:00:01Z"),
            ("2026-11-23T08:00:00Z", "2026-11-23T08:00:01Z"),
            1,
        ),
    ],
)
def test_counts_are_of_the_requested_period(
    admitone: Command,
    desk: Desk,
    period: tuple[str, ...],
    told: tuple[str | None, str | None],
    links: int,
) -> None:
    calendar_id = desk.new_calendar()
    desk.issue(calendar_id, NewLink())
    desk.issue(calendar_id, NewLink(), now=NOW + timedelta(days=1))
    found = json.loads(admitone(*REPORT, *period).out)
    assert tuple(found["period"].values()) == told
    assert found["counts"]["links"]["issued"] == links


@pytest.mark.parametrize("end", ["2026-11-22", "2026-11-23", "2026-11-23T23:59:59Z"])
def test_a_period_that_ends_before_it_begins_is_refused(admitone: Command, end: str) -> None:
    done = admitone(*REPORT, "--from", "2026-11-24", "--to", end)
    assert (done.status, done.out) == (2, "")
    assert "--to: Must not lie before the start." in done.err


@pytest.mark.parametrize("time", ["yesterday", "2026-11-23T08:00:00", "2026-13-01"])
def test_a_time_that_makes_no_sense_is_refused(admitone: Command, time: str) -> None:
    for option in ("--from", "--to"):
        done = admitone(*REPORT, option, time)
        assert (done.status, done.out) == (2, "")
        assert f"'{option}'" in done.err


def test_the_page_shows_the_whole_report_and_loads_nothing(
    admitone: Command, desk: Desk, services: Services, tmp_path: Path
) -> None:
    everything_happens(desk)
    link_id = desk.new_link()
    services.refused_attempts.record(link_id, reason="slot-taken", address="", now=NOW)
    file = tmp_path / "proof.html"
    period = ("--from", "2026-11-23T08:00:00Z", "--to", "2026-11-30")
    done = admitone(*REPORT, *period, "--html", str(file))
    found = json.loads(done.out)
    page = file.read_text()
    for each in found["statements"]:
        assert each["statement"] in page
        assert f">{each['checked']}<" in page
    assert f"position {found['head']['position']}" in page
    for text in (
        "Everything below holds for the whole log.",
        "From 23 Nov 2026, 08:00 UTC until 1 Dec 2026, 00:00 UTC.",
        "Refused attempts: slot-taken",
    ):
        assert text in page
    for elsewhere in ("http:", "https:", "src=", "href=", "url(", "@import"):
        assert elsewhere not in page


def test_a_page_that_cannot_be_written_is_refused(admitone: Command, tmp_path: Path) -> None:
    done = admitone(*REPORT, "--html", str(tmp_path / "no" / "proof.html"))
    assert done.status == 1
    assert "can't be written" in done.err


def test_the_page_shows_the_checkpoint_as_text() -> None:
    statement = {"statement": "No.", "holds": True, "checked": 1, "violations": []}
    report = {
        "made_at": "2026-11-23T08:00:00Z",
        "period": {"from": None, "to": None},
        "head": {"position": 7, "size": 5},
        "checkpoint": "admitone.example.org\n<5>\n",
        "counts": {"links": {}, "bookings": {}, "refused_attempts": {}},
        "statements": [statement],
        "holds": True,
    }
    page = single_use_page(report)
    assert "<pre>admitone.example.org\n&lt;5&gt;\n</pre>" in page
    assert "Signed checkpoint" not in single_use_page(report | {"checkpoint": None})
