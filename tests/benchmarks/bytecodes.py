"""`python -m tests.benchmarks.bytecodes`: the bytecodes that a pair takes in a web process.

Their number hardly depends on the machine or its load. It leaves out what happens in C and in the
kernel: `hot_spots` measures the time of all.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from interface.wsgi import create_app
from tests.benchmarks.in_one_process import (
    Pairs,
    crud_pairs,
    log_to_nowhere,
    our_pairs,
    our_services,
    place_of,
)
from tests.benchmarks.machine import running_machine
from tests.benchmarks.report import table
from tests.benchmarks.sides import CRUD, OURS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

WARM_UP = 10
PAIRS = 15
LINES = 80


class Counted:
    """A WSGI application, and the bytecodes that its functions execute in the calling thread.

    `own` leaves out what a function calls, and `whole` has it as well.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app
        self.own: Counter[CodeType] = Counter()
        self.whole: Counter[CodeType] = Counter()
        self._total = 0
        self._begun: list[int] = []

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers a request, and counts until the whole answer is there."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            return _whole(self._app, environ, start_response)
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        frame.f_trace_lines = False
        frame.f_trace_opcodes = True
        self._begun.append(self._total)
        return self._inside

    def _inside(self, frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        if event == "opcode":
            self._total += 1
            self.own[frame.f_code] += 1
        elif event == "return":
            self.whole[frame.f_code] += self._total - self._begun.pop()
        return self._inside


def _whole(
    app: "WSGIApplication", environ: "WSGIEnvironment", start_response: "StartResponse"
) -> Iterable[bytes]:
    parts = app(environ, start_response)
    try:
        return [*parts]
    finally:
        if hasattr(parts, "close"):
            parts.close()


def counted(pairs: Pairs) -> Counted:
    """Returns the counts of `PAIRS` pairs, after `WARM_UP` pairs have filled the caches."""
    app = Counted(pairs.app)
    pairs.run(WARM_UP)
    replace(pairs, app=app).run(PAIRS)
    return app


def a_pair(counts: Counter[CodeType]) -> float:
    """Returns the bytecodes of a pair."""
    return counts.total() / PAIRS


def main() -> None:
    """Prints how many bytecodes a pair takes: of both services, and of ours by function."""
    with (
        TemporaryDirectory() as place,
        running_machine(Path(place)) as machine,
        our_services(Path(place), machine.new_database()) as services,
        crud_pairs(machine.bare_database()) as hand_written,
        log_to_nowhere(),
    ):
        ours = counted(our_pairs(services, create_app(services)))
        theirs = counted(hand_written)
    total = a_pair(ours.own)
    lines = [
        f"{OURS}: {total:,.0f} bytecodes a pair; {CRUD}: {a_pair(theirs.own):,.0f}.",
        *("", *_by_place(ours.own, lambda code: place_of(code.co_filename).partition("/")[0])),
        *("", *_by_place(ours.own, lambda code: place_of(code.co_filename))),
        *("", *_by_function(ours)),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _by_place(counts: Counter[CodeType], place: Callable[[CodeType], str]) -> list[str]:
    found: Counter[str] = Counter()
    for code, count in counts.items():
        found[place(code)] += count
    rows = [[name, f"{count / PAIRS:,.0f}"] for name, count in found.most_common(LINES)]
    return table(["in", "bytecodes a pair"], rows)


def _by_function(counts: Counted) -> list[str]:
    rows = [
        [
            f"{place_of(code.co_filename)}:{code.co_firstlineno} {code.co_name}",
            f"{counts.own[code] / PAIRS:,.0f}",
            f"{whole / PAIRS:,.0f}",
        ]
        for code, whole in counts.whole.most_common(2 * LINES)
    ]
    return table(["function", "its own", "with what it calls"], rows)


if __name__ == "__main__":
    main()
