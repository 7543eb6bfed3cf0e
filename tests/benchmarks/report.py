"""Results as tables for people: on the terminal, and those that the README shows."""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.benchmarks import at_the_store, growth, over_http, told, usage
from tests.benchmarks.ratios import shown
from tests.benchmarks.sides import CRUD, CRUD_TOLD, CRUD_WSGI, OURS, UNTOLD

Row = Sequence[object]

LIKE = {OURS: CRUD_TOLD, UNTOLD: CRUD}
"""With what each of ours is compared: both send mails, or neither does."""


def table(head: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Returns the lines of a Markdown table that can be read as it is, numbers to the right."""
    texts = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]

    def line(cells: Sequence[str]) -> str:
        first, *others = (each for each in zip(cells, widths, strict=True))
        padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(texts[0]), line(rule), *map(line, texts[1:])]


def whole(results: dict[str, Any]) -> Iterator[str]:
    """Yields the lines of the report on all parts that were measured."""
    parts = {
        "http": _http,
        "store": _store,
        "growth": _growth,
        "views": _views,
        "told": _told,
        "size": _size,
    }
    for name, lines in parts.items():
        if name in results:
            yield ""
            yield from lines(results[name])
            yield f"({'; '.join(f'{what} {value}' for what, value in results[name]['on'].items())})"


def machine_line(on: dict[str, str]) -> str:
    """Returns what the README says about the machine of a run."""
    return f"{on['python']}, on {on['cpu']} and with PostgreSQL {on['postgres']} and safe commits"


def pairs_table(http: dict[str, Any]) -> list[str]:
    """Returns pairs a second of each side, and the ratios of like to like, by clients."""
    found = http["clients"].values()
    rows: list[Row] = [
        [name, *(f"{each['sides'][name]['pairs_per_second']:,.0f}" for each in found)]
        for name in (OURS, CRUD_TOLD, UNTOLD, CRUD, CRUD_WSGI)
    ]
    for ours, other in (*LIKE.items(), (OURS, CRUD)):
        ratios = [each["ratios"][ours][other]["pairs_per_second"] for each in found]
        rows.append([f"{ours} / {other}", *map(shown, ratios)])
    clients = [f"{count} client{'' if count == '1' else 's'}" for count in http["clients"]]
    return table(["pairs a second", *clients], rows)


def cpu_table(http: dict[str, Any]) -> list[str]:
    """Returns CPU milliseconds a pair of ours and of the hand-written service, by kind."""
    rows = []
    for clients, found in http["clients"].items():
        for name in (OURS, CRUD_TOLD, UNTOLD, CRUD):
            side = found["sides"][name]
            each = [side["cpu_ms"].get(kind) for kind in _KINDS]
            ratio = _to_like(found, name, "service_cpu_ms")
            parts = ["" if cpu is None else f"{cpu:.2f}" for cpu in each]
            clients_cpu = f"{side['cpu_ms'][usage.CLIENTS]:.2f}"
            total = f"{side['service_cpu_ms']:.2f}"
            rows.append([f"{clients}: {name}", *parts, total, clients_cpu, ratio])
    head = ["CPU ms a pair", *_KINDS, "service", usage.CLIENTS, "to its like"]
    return table(head, rows)


def _to_like(found: dict[str, Any], name: str, what: str) -> str:
    """Returns the ratio of ours to the hand-written service that tells as many; else nothing."""
    return shown(found["ratios"][name][LIKE[name]][what]) if name in LIKE else ""


def _http(found: dict[str, Any]) -> Iterator[str]:
    yield f"Issue + redeem pairs a second over HTTP, {_rounds(found)}"
    yield from pairs_table(found)
    yield ""
    yield from cpu_table(found)
    yield ""
    answers = []
    for clients, each in found["clients"].items():
        for name, side in each["sides"].items():
            times = [f"{ms:.1f}" for what in _ANSWERS for ms in side[what].values()]
            ratio = _to_like(each, name, "redeem_p99_ms")
            answers.append([f"{clients}: {name}", *times, ratio, f"{side['refused']:.1%}"])
    columns = [f"{what[:-3]} {hundredth}" for what in _ANSWERS for hundredth in _HUNDREDTHS]
    head = ["answers, ms", *columns, "redeem p99, to its like", "answered busy"]
    yield from table(head, answers)
    yield ""
    memory = [
        [
            name,
            *(f"{parts[kind]:.0f}" if kind in parts else "" for kind in _KINDS),
            f"{sum(parts.values()):.0f}",
        ]
        for name, parts in found["memory_mb"].items()
    ]
    yield from table(["memory, MB (PSS)", *_KINDS, "sum"], memory)
    lag = found["lag"]
    yield (
        f"From writing to every view at {max(over_http.CLIENTS)} clients:"
        f" p50 {lag['p50_ms']:.0f} ms, p99 {lag['p99_ms']:.0f} ms"
    )


def _store(found: dict[str, Any]) -> Iterator[str]:
    yield f"Pairs a second at the event store, {found['connections']} connections, {_rounds(found)}"
    names = (at_the_store.OURS, at_the_store.STOCK, at_the_store.CRUD)
    rows = []
    for delay, by_callers in found["commit_ms"].items():
        for callers, each in by_callers.items():
            rates = [f"{each['sides'][name]['pairs_per_second']:,.0f}" for name in names]
            ratios = [shown(each["ratios"][name]) for name in names[1:]]
            rows.append([f"+{delay} ms, {callers}", *rates, *ratios])
    yield from table(["commit, callers", *names, "ours / stock", "ours / CRUD"], rows)


def _growth(found: dict[str, Any]) -> Iterator[str]:
    redeemed = f"{found['rounds']} x {growth.REDEEMED} links"
    yield f"Redeeming as it grows, without HTTP, medians of {redeemed}"
    rows = [
        [
            f"{int(size):,} {what}",
            f"{each['p50_ms']:.1f}",
            f"{each['cpu_ms']:.1f}",
            shown(each["ratio"]),
        ]
        for what, sizes in found["of"].items()
        for size, each in sizes.items()
    ]
    yield from table(["", "p50 ms", "CPU ms", "CPU / least"], rows)


def _views(found: dict[str, Any]) -> Iterator[str]:
    yield f"The read side, {found['events']:,} events, best of {found['rounds']}"
    rows = [
        [
            name,
            f"{each['events_per_second']:,.0f}",
            f"{each['to_library_runner']:.0f} x",
            f"{each['to_reading_and_decoding']:.2f} x",
            f"{each['memory_mb']:.0f}",
        ]
        for name, each in found["rebuild"].items()
    ]
    head = ["rebuild", "events/s", "library's runner", "reading and decoding", "MB"]
    yield from table(head, rows)
    evidence = found["evidence"]
    yield f"The library's runner: {found['library_runner_events_per_second']:,.0f} events/s"
    yield f"Verifying the log: {evidence['verified_events_per_second']:,.0f} events/s"
    yield f"Proof of one event: {evidence['proof_ms']:.2f} ms"
    for rate, lag in found["lag"].items():
        yield (
            f"From writing to every view at {rate} events/s: p50 {lag['p50_ms']:.0f} ms,"
            f" p99 {lag['p99_ms']:.0f} ms, projector {lag['projector_cpu_ms']:.2f} ms of CPU each"
        )


def _told(found: dict[str, Any]) -> Iterator[str]:
    yield f"Pairs a second, with and without mails and a webhook, {_rounds(found)}"
    rows, until_told = [], []
    for clients, each in found["clients"].items():
        sides = [each["sides"][name] for name in (told.TOLD, told.UNTOLD)]
        rates = [f"{side['pairs_per_second']:,.0f}" for side in sides]
        spent = sides[0]["cpu_ms"][usage.SENDER]
        ratios = [shown(each["ratios"][what]) for what in told.COMPARED]
        rows.append([clients, *rates, *ratios, f"{spent:.2f}"])
        lag = sides[0]["until_told"]
        until_told.append([clients, *(f"{lag[name]:.2f}" for name in told.LAG)])
    head = ["clients", told.TOLD, told.UNTOLD, "pairs, told / untold", "CPU, told / untold"]
    yield from table([*head, "CPU ms of the sender a pair"], rows)
    yield ""
    yield from table(["seconds until told", *told.LAG], until_told)


def _size(found: dict[str, Any]) -> Iterator[str]:
    events = found["events"]
    yield f"A log of {events:,} events"
    yield from size_table(found)
    for what in ("redeem", "issue"):
        most = found[what][str(events)]
        yield (
            f"{what}: p50 {most['p50_ms']:.1f} ms, CPU / that at {growth.FEWEST_EVENTS:,} events"
            f" {shown(most['ratio'])}"
        )
    for name, milliseconds in found["links_page_ms"].items():
        yield f"links of an owner, {name}: {milliseconds:.1f} ms"


def size_table(found: dict[str, Any]) -> list[str]:
    """Returns what a long log takes: bytes, and the time to rebuild and to verify it."""
    of = found["bytes_an_event"]
    rows: list[Row] = [[f"bytes an event: {name}", f"{size:,.0f}"] for name, size in of.items()]
    rows.append(["bytes an event", f"{sum(of.values()):,.0f}"])
    rates = {
        "rebuild of all views": found["rebuilt_events_per_second"],
        "verification of the whole log": found["evidence"]["verified_events_per_second"],
    }
    for name, rate in rates.items():
        minutes = found["events"] / rate / 60
        rows.append([name, f"{minutes:,.1f} min ({rate:,.0f} events/s)"])
    return table([f"{found['events']:,} events", ""], rows)


def size_sentences(found: dict[str, Any]) -> str:
    """Returns what commands and lists take on a long log, beside one of the fewest events."""
    of = {what: found[what][str(found["events"])] for what in ("redeem", "issue")}
    times = {
        what: f"{ratio['median']:.2f} times ({ratio['low']:.2f} to {ratio['high']:.2f}"
        for what, ratio in ((what, each["ratio"]) for what, each in of.items())
    }
    page = found["links_page_ms"]
    return (
        f"Redeeming a link at {found['events']:,} events takes {times['redeem']}, of"
        f" {found['rounds']} rounds) the CPU time that it takes at {growth.FEWEST_EVENTS:,}, and"
        f" issuing one {times['issue']}): redeeming takes {of['redeem']['p50_ms']:.1f} ms and"
        f" issuing {of['issue']['p50_ms']:.1f} ms, without HTTP. The first page of an owner's links"
        f" takes {page['first page']:.0f} ms, a search among them {page['search']:.0f} ms."
    )


_ANSWERS = ("issue_ms", "redeem_ms")
_HUNDREDTHS = ("p50", "p99")
_KINDS = (usage.WEB, usage.PROJECTOR, usage.OTHER, usage.POSTGRES)


def _rounds(found: dict[str, Any]) -> str:
    return f"{found['rounds']} x {found['seconds']:g} s, medians, ratios with their spread"
