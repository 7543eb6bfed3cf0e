"""The checker of histories passes those of a correct service, and names what is wrong in others.

The model is the service as it should be: an operation happens at one moment between call and
answer. Its mistakes are those that a service under attack could make.
"""

from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults.history import DONE, UNKNOWN, Calendar, Entry, Fault, Operation, check

CALENDARS = Calendar("owner", 30, 0, 0), Calendar("owner", 30, 15, 30)
STARTS = [f"2026-11-24T{hour:02}:{minute:02}:00Z" for hour in (9, 10) for minute in (0, 30)]


@dataclass(frozen=True)
class Attempt:
    """What a client does at a moment. Links, times and keys are numbers; None: no key.

    Without an answer, the client never learns what happened.
    """

    kind: str
    link: int
    start: int
    key: int | None
    called: int
    lasts: tuple[int, int]
    is_answered: bool


ATTEMPTS = st.builds(
    Attempt,
    st.sampled_from(["issue", "redeem", "redeem", "redeem", "revoke", "replace"]),
    st.integers(0, 3),
    st.integers(0, len(STARTS) - 1),
    st.none() | st.integers(0, 1),
    st.integers(0, 60),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    st.booleans(),
)


def made_up(random: Random) -> list[Attempt]:
    """Returns attempts like those of `ATTEMPTS`."""
    return [
        Attempt(
            random.choice(["issue", "redeem", "redeem", "redeem", "revoke", "replace"]),
            random.randrange(4),
            random.randrange(len(STARTS)),
            random.choice([None, 0, 1]),
            random.randrange(61),
            (random.randrange(10), random.randrange(10)),
            random.random() < 0.8,
        )
        for _ in range(40)
    ]


@dataclass
class Model:
    """Gives attempts their outcomes, and writes the log. May make one kind of mistake."""

    mistake: str = ""
    log: list[Entry] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)

    def run(self, attempts: list[Attempt]) -> list[Fault]:
        """Lets everything happen in the order of its moments; returns what the checker says."""
        ordered = sorted(attempts, key=lambda each: each.called + each.lasts[0])
        for attempt in ordered:
            self._happen(attempt)
        return check(self.operations, self.log)

    def _happen(self, attempt: Attempt) -> None:
        link, start = f"link {attempt.link}", STARTS[attempt.start]
        key = None if attempt.key is None else f"key {attempt.key}"
        if attempt.kind in ("issue", "replace"):
            key = f"{attempt.kind} {attempt.link}"  # which link it makes depends on the key
        asked = Operation(
            attempt.kind,
            attempt.called,
            attempt.called + sum(attempt.lasts),
            UNKNOWN,
            None if attempt.kind == "revoke" else key,
            None if attempt.kind == "issue" else link,
            start if attempt.kind == "redeem" else None,
        )
        outcome, made = self._outcome(asked, attempt)
        if self.mistake == "confirms before it records":
            asked = msgspec.structs.replace(asked, answered=attempt.called)
        if self.mistake == "does what nobody asked for" and not attempt.is_answered:
            return
        if attempt.is_answered:
            answered = msgspec.structs.replace(asked, outcome=outcome, made=made)
        else:
            answered = msgspec.structs.replace(asked, answered=inf)
        self.operations.append(answered)

    def _outcome(self, asked: Operation, attempt: Attempt) -> tuple[str, str | None]:
        issued, ended = self._state(asked.link)
        if asked.kind == "issue":
            made = f"link {attempt.link}"
            if self._state(made)[0] is None or self.mistake == "issues a link for each repeat":
                if self.mistake == "issues a link for each repeat" and self._state(made)[0]:
                    made = f"another {len(self.log)}"
                self._write("issued", made, CALENDARS[attempt.link % 2], key=asked.request[-1])
            return DONE, made
        if issued is None:
            return "link-not-found", None
        if self.mistake == "says that a link has not been issued" and attempt.start == 0:
            return "link-not-found", None
        match asked.kind:
            case "revoke":
                return self._revoked(asked, issued, ended)
            case "replace":
                return self._replaced(asked, issued, ended, attempt)
        return self._redeemed(asked, issued, ended)

    def _revoked(
        self, asked: Operation, issued: Entry, ended: Entry | None
    ) -> tuple[str, str | None]:
        if ended and ended.what == "redeemed" and self.mistake != "revokes what is used":
            return "link-redeemed", None
        if not ended or (self.mistake == "revokes what is used" and ended.what == "redeemed"):
            self._write("revoked", issued.link, issued.calendar)
        return DONE, None

    def _replaced(
        self, asked: Operation, issued: Entry, ended: Entry | None, attempt: Attempt
    ) -> tuple[str, str | None]:
        new = f"new for {issued.link}"
        if ended and ended.what == "redeemed":
            return "link-redeemed", None
        if ended and ended.replaced_by != new:
            return "link-revoked", None
        if ended and self.mistake == "refuses the repeat of a replacement":
            return "link-revoked", None
        if not ended:
            if self.mistake != "replaces without ending the old link":
                self._write("revoked", issued.link, issued.calendar, replaced_by=new)
            if self._state(new)[0] is None:
                self._write("issued", new, issued.calendar, key=asked.request[-1])
        return DONE, new

    def _redeemed(
        self, asked: Operation, issued: Entry, ended: Entry | None
    ) -> tuple[str, str | None]:
        assert asked.start is not None
        request = asked.request
        if ended and ended.what == "redeemed" and self.mistake != "redeems twice":
            is_repeat = asked.key is not None and (ended.start, ended.key) == request[2:]
            if is_repeat and self.mistake != "refuses a repeat":
                return DONE, None
            # The client of this model uses a key again for another time.
            return "link-redeemed", None
        if ended and ended.what == "revoked":
            return "link-revoked", None
        wanted = issued.calendar.reservation(asked.start)
        taken = any(
            entry.calendar.reservation(entry.start).clashes_with(wanted)
            for entry in self.log
            if entry.start and entry.link != issued.link
        )
        if self.mistake == "sees no buffers":
            taken = any(entry.start == asked.start for entry in self.log)
        if self.mistake == "refuses a free time" and len(self.log) % 3 == 0:
            taken = True
        if taken and self.mistake != "books what is taken":
            return "slot-taken", None
        if self.mistake == "loses what it confirms" and len(self.log) % 3 == 0:
            return DONE, None
        self._write("redeemed", issued.link, issued.calendar, request[3], asked.start)
        return DONE, None

    def _state(self, link: str | None) -> tuple[Entry | None, Entry | None]:
        """Returns when a link was issued and when it ended, as far as that is the case."""
        entries = [entry for entry in self.log if entry.link == link]
        return (
            next((entry for entry in entries if entry.what == "issued"), None),
            next((entry for entry in entries if entry.what != "issued"), None),
        )

    def _write(
        self,
        what: str,
        link: str,
        calendar: Calendar,
        key: str | None = None,
        start: str | None = None,
        replaced_by: str | None = None,
    ) -> None:
        self.log.append(Entry(len(self.log) + 1, what, link, calendar, key, start, replaced_by))


def entry(position: int, what: str, link: str = "link", **more: Any) -> Entry:
    return Entry(position, what, link, CALENDARS[1], **more)


def asked(kind: str, called: float, answered: float, outcome: str = DONE, **more: Any) -> Operation:
    link = None if kind == "issue" else "link"
    return Operation(kind, called, answered, outcome, **{"link": link} | more)


ISSUE = asked("issue", 0, 1, key="k", made="link")
ISSUED = entry(1, "issued", key=ISSUE.request[1])
BOOK = asked("redeem", 2, 3, start=STARTS[0])
BOOKED = entry(2, "redeemed", start=STARTS[0])
OTHER = asked("issue", 0, 1, key="other", made="other")
OTHER_ISSUED = entry(2, "issued", "other", key=OTHER.request[1])
THEN_BOOKED = BOOKED._replace(position=3)
REVOKED = entry(2, "revoked")


@pytest.mark.parametrize(
    ("operations", "log", "kinds"),
    [
        ([ISSUE, BOOK], [ISSUED, BOOKED], []),
        ([ISSUE, BOOK], [ISSUED], ["lost"]),
        ([ISSUE], [ISSUED, BOOKED], ["unasked"]),
        ([BOOK], [BOOKED], ["unasked"]),
        ([ISSUE, BOOK, BOOK], [ISSUED, BOOKED], ["doubled"]),
        # Revoked before the link was redeemed, and redeemed all the same.
        (
            [ISSUE, asked("revoke", 2, 3), asked("redeem", 4, 5, start=STARTS[0])],
            [ISSUED, REVOKED, THEN_BOOKED],
            ["doubled", "lost"],
        ),
        # It lies where the other buffer does not reach, and the larger one does.
        (
            [ISSUE, BOOK, OTHER, asked("redeem", 2, 3, start=STARTS[1], link="other")],
            [ISSUED, OTHER_ISSUED, THEN_BOOKED, entry(4, "redeemed", "other", start=STARTS[1])],
            ["overlapped"],
        ),
        # Refused while nothing was booked, and by a time that was booked only after the answer.
        (
            [ISSUE, OTHER, asked("redeem", 2, 3, "slot-taken", start=STARTS[0], link="other")],
            [ISSUED, OTHER_ISSUED],
            ["refused wrongly"],
        ),
        (
            [
                ISSUE,
                OTHER,
                asked("redeem", 2, 3, "slot-taken", start=STARTS[0], link="other"),
                asked("redeem", 4, 5, start=STARTS[0]),
            ],
            [ISSUED, OTHER_ISSUED, THEN_BOOKED],
            ["out of order"],
        ),
        # Heard of the slot, after it had been confirmed that the link is no longer active.
        (
            [
                ISSUE,
                BOOK,
                OTHER,
                asked("revoke", 4, 5, link="other"),
                asked("redeem", 6, 7, "slot-taken", start=STARTS[1], link="other"),
            ],
            [ISSUED, OTHER_ISSUED, THEN_BOOKED, entry(4, "revoked", "other")],
            ["refused wrongly"],
        ),
        # Confirmed, and recorded only after somebody saw that it was not.
        (
            [
                ISSUE,
                asked("redeem", 2, 9, UNKNOWN, start=STARTS[0], key="k"),
                asked("revoke", 4, 5, "link-redeemed"),
                asked("redeem", 6, 7, "link-redeemed", start=STARTS[0], key="k"),
            ],
            [ISSUED, BOOKED._replace(key=asked("redeem", 0, 1, key="k").request[3])],
            ["refused wrongly"],
        ),
    ],
)
def test_a_history_that_can_not_be_is_named(
    operations: list[Operation], log: list[Entry], kinds: list[str]
) -> None:
    assert [fault.kind for fault in check(operations, log)] == kinds


@settings(deadline=None, max_examples=200)
@given(st.lists(ATTEMPTS, max_size=25))
def test_every_history_of_a_correct_service_passes(attempts: list[Attempt]) -> None:
    assert Model().run(attempts) == []


@pytest.mark.parametrize(
    ("mistake", "kind"),
    [
        ("redeems twice", "doubled"),
        ("revokes what is used", "doubled"),
        ("issues a link for each repeat", "doubled"),
        ("books what is taken", "overlapped"),
        ("sees no buffers", "overlapped"),
        ("loses what it confirms", "lost"),
        ("replaces without ending the old link", "lost"),
        ("refuses a free time", "refused wrongly"),
        ("refuses a repeat", "refused wrongly"),
        ("refuses the repeat of a replacement", "refused wrongly"),
        ("says that a link has not been issued", "refused wrongly"),
        ("confirms before it records", "out of order"),
        ("does what nobody asked for", "unasked"),
    ],
)
def test_every_mistake_of_a_service_is_named(mistake: str, kind: str) -> None:
    found = {
        fault.kind for seed in range(20) for fault in Model(mistake).run(made_up(Random(seed)))
    }
    assert kind in found
