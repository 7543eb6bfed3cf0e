"""Draws pairs a second and CPU time a pair as an SVG picture."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from tests.benchmarks import usage
from tests.benchmarks.sides import CRUD, CRUD_TOLD, CRUD_WSGI, OURS, UNTOLD

WIDTH, ROW, GAP, LEFT, RIGHT, TOP = 700, 18, 12, 225, 50, 34
COLOURS = {
    OURS: "#9c3b2a",
    UNTOLD: "#c27b6e",
    CRUD_TOLD: "#3f5263",
    CRUD: "#5b7083",
    CRUD_WSGI: "#9fb0bf",
    usage.WEB: "#9c3b2a",
    usage.PROJECTOR: "#d69b5b",
    usage.POSTGRES: "#5b7083",
    usage.OTHER: "#c9c4bc",
}

Bar = tuple[str, list[tuple[str, float]], str]
"""A label, the parts of the bar as colour name and length, and the figure at its end."""


def svg(http: dict[str, Any]) -> str:
    """Returns the picture of the results over HTTP."""
    rates, costs = [], []
    for clients, found in http["clients"].items():
        labelled = [(_label(clients, name), name, side) for name, side in found["sides"].items()]
        rates.append(
            [
                (label, [(name, side["pairs_per_second"])], f"{side['pairs_per_second']:,.0f}")
                for label, name, side in labelled
            ]
        )
        costs.append(
            [
                (label, _services(side["cpu_ms"]), f"{side['service_cpu_ms']:.1f}")
                for label, _, side in labelled
            ]
        )
    kinds = [usage.WEB, usage.PROJECTOR, usage.OTHER, usage.POSTGRES]
    lines = [*_panel("Pairs (issue + redeem) a second", rates, 0, [])]
    middle = _height(rates)
    lines += _panel("CPU milliseconds a pair", costs, middle, kinds)
    height = middle + _height(costs)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
            f' width="{WIDTH}" font-family="sans-serif" font-size="12">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _label(clients: str, name: str) -> str:
    return f"{clients} client{'' if clients == '1' else 's'}: {name}"


def _services(cpu_ms: dict[str, float]) -> list[tuple[str, float]]:
    return [(kind, ms) for kind, ms in cpu_ms.items() if kind != usage.CLIENTS]


def _height(groups: list[list[Bar]]) -> int:
    return TOP + sum(len(bars) * ROW + GAP for bars in groups) + GAP


def _panel(title: str, groups: list[list[Bar]], top: int, legend: Sequence[str]) -> Iterator[str]:
    """Yields the lines of one diagram, all of whose bars have the same scale."""
    yield _text(GAP, top + 20, title, bold=True)
    x = LEFT + 60
    for kind in legend:
        yield f'<rect x="{x}" y="{top + 11}" width="10" height="10" fill="{COLOURS[kind]}"/>'
        yield _text(x + 14, top + 20, kind)
        x += 90
    longest = max(sum(size for _, size in parts) for bars in groups for _, parts, _ in bars)
    scale = (WIDTH - LEFT - RIGHT) / longest
    y = top + TOP
    for bars in groups:
        for label, parts, figure in bars:
            yield _text(LEFT - 6, y + 12, label, anchor="end")
            at = float(LEFT)
            for colour, size in parts:
                yield (
                    f'<rect x="{at:.1f}" y="{y + 1}" width="{size * scale:.1f}"'
                    f' height="{ROW - 3}" fill="{COLOURS[colour]}"/>'
                )
                at += size * scale
            yield _text(at + 4, y + 12, figure)
            y += ROW
        y += GAP


def _text(x: float, y: int, text: str, *, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}"{weight}>{escape(text)}</text>'
