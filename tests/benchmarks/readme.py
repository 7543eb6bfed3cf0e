"""The section of the README with figures, written from the published results."""

from textwrap import fill
from typing import Any

from tests.benchmarks import report
from tests.benchmarks.sides import OURS, UNTOLD

TITLE = "## How fast it is"
BESIDE = """\
Pairs a second over HTTP, where a pair is a link that is issued and redeemed. Beside Admit One
stands a service that does the same two calls without a history (CRUD): two tables, written by
hand with the same libraries, on the same web server, and once on that server's own WSGI side,
which slow clients can block. Both are measured as they run, with two mails a pair, and once more
while nobody is told of a booking. `make bench` measures all of them in one run. Figures are
medians, ratios have their spread."""
PICTURE = "![Pairs a second, and CPU time a pair](tests/benchmarks/results/pairs.svg)"


def section(results: dict[str, Any]) -> str:
    """Returns the section, from its title to the line before the next one."""
    http = results["http"]
    paragraphs = [
        TITLE,
        _paragraph(BESIDE),
        "\n".join(report.pairs_table(http)),
        _paragraph(f"{_price(http)} {_growth(results['growth']['of']['events'])}"),
        PICTURE,
        _paragraph(
            f"Measured with {report.machine_line(http['on'])};"
            " [all figures](tests/benchmarks/results/results.json)."
        ),
    ]
    return "\n\n".join(paragraphs) + "\n\n"


def with_section(text: str, results: dict[str, Any]) -> str:
    """Returns the README with this section in place of the one that it has."""
    before, _, rest = text.partition(f"{TITLE}\n")
    _, _, after = rest.partition("\n## ")
    return f"{before}{section(results)}## {after}"


def _price(http: dict[str, Any]) -> str:
    """Returns a sentence about what the history, the views and the proofs cost."""
    told, held, cost = (
        _range(http, ours, what, digits)
        for ours, what, digits in (
            (OURS, "pairs_per_second", 2),
            (UNTOLD, "pairs_per_second", 2),
            (OURS, "service_cpu_ms", 1),
        )
    )
    return (
        f"The history, the views and the proofs have a price: {told} times the pairs of CRUD with"
        f" mails, for {cost} times the CPU time of a pair. While nobody is told it is {held} times"
        " the pairs."
    )


def _range(http: dict[str, Any], ours: str, what: str, digits: int) -> str:
    """Returns the least and the greatest ratio to the hand-written service that is like ours."""
    other = report.LIKE[ours]
    ratios = [each["ratios"][ours][other][what]["median"] for each in http["clients"].values()]
    return f"{min(ratios):.{digits}f} to {max(ratios):.{digits}f}"


def _growth(events: dict[str, Any]) -> str:
    """Returns a sentence about the length of the log."""
    least, most = min(events, key=int), max(events, key=int)
    return (
        f"With {int(most):,} events in the log, redeeming takes"
        f" {events[most]['ratio']['median']:.2f} times the CPU time that it takes with"
        f" {int(least):,}."
    )


def _paragraph(text: str) -> str:
    return fill(text, width=100, break_long_words=False, break_on_hyphens=False)
