"""Divides pasted text into lines, and lines into cells, whatever program it was copied from."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_SEPARATORS = {",": ",", ";": ";", "\t": "\t", "，": ",", "、": ",", "；": ";"}
_LINE_BREAK = re.compile(r"\r\n?|[\v\f\x85\u2028\u2029]")
# What stands before the first name or address of a line in lists and in the headers of mails.
_LEAD = re.compile(
    r" *(?:(?:to|cc|bcc|an|kopie|blindkopie) ?: *|[-*•–·▪◦‣] +|\d{1,3}[.)] +)", re.IGNORECASE
)
# Quotes hold a text together only if a separator, a bracket or the end of the line follows them. In
# files, a quote within is written twice; in the headers of mails, behind a backslash.
_QUOTED = re.compile(r'"((?:[^"\\]|""|\\[\\"]|\\(?!")){1,2000}+)"(?= *(?:[,;\t，、；\n<(]|\Z))')
_QUOTED_SIGN = re.compile(r'\\([\\"])')
# Characters that format text and show nothing are left out, but for the two that join letters in
# some scripts.
_JOINERS = "\u200c\u200d"


@dataclass(frozen=True)
class Cell:
    """The text between two separators. `before` is the separator in front of it, or empty."""

    before: str
    text: str
    is_quoted: bool = False


def lines_of_cells(text: str) -> Iterator[tuple[int, list[Cell]]]:
    """Yields the number of each line, from 1, and its cells. Lines without text are left out.

    Cells end at a comma, semicolon, tab or line break. Inside quotes, and inside the angle brackets
    around an address, these are part of the text.
    """
    text = _visible(text)
    start, number = 0, 1
    while start < len(text):
        lead = _LEAD.match(text, start)
        place = lead.end() if lead else start
        cells, before = [], ""
        while True:
            content, is_quoted, place = _cell_at(text, place)
            cells.append(Cell(before, content, is_quoted))
            before = _SEPARATORS.get(text[place : place + 1], "")
            if not before:
                break
            place += 1
        if any(cell.text for cell in cells):
            yield number, cells
        number += text.count("\n", start, place + 1)
        start = place + 1


def main_separator(cells: Sequence[Cell]) -> str:
    """Returns the separator that divides a line first: tab, semicolon or comma; empty if none."""
    present = {cell.before for cell in cells}
    return next((each for each in ("\t", ";", ",") if each in present), "")


def joined(cells: Sequence[Cell], separator: str) -> list[Cell]:
    """Returns the cells between one separator; other separators become part of the text."""
    result: list[Cell] = []
    for cell in cells:
        if result and cell.before != separator:
            last = result.pop()
            cell = Cell(last.before, f"{last.text}{cell.before} {cell.text}".strip(), True)
        result.append(cell)
    return result


def _visible(text: str) -> str:
    """Returns the text without invisible characters, with one kind of line break and of space."""
    return "".join(
        " " if unicodedata.category(sign) == "Zs" else sign
        for sign in unicodedata.normalize("NFC", _LINE_BREAK.sub("\n", text))
        if unicodedata.category(sign) != "Cf" or sign in _JOINERS
    )


def _cell_at(text: str, place: int) -> tuple[str, bool, int]:
    """Returns the cell that begins at a place, if it was quoted, and the place of its end."""
    while text[place : place + 1] == " ":
        place += 1
    quoted, end = _quoted_at(text, place)
    place = end
    while place < len(text) and text[place] != "\n" and text[place] not in _SEPARATORS:
        closing = text.find(">", place, place + 300) if text[place] == "<" else -1
        is_bracket = closing > 0 and "\n" not in text[place:closing]
        place = closing + 1 if is_bracket else place + 1
    return " ".join(f"{quoted} {text[end:place]}".split()), bool(quoted), place


def _quoted_at(text: str, start: int) -> tuple[str, int]:
    """Returns what stands in quotes at a place, and the place behind them; else nothing."""
    quoted = _QUOTED.match(text, start)
    if quoted is None:
        return "", start
    return _QUOTED_SIGN.sub(r"\1", quoted[1].replace('""', '"')), quoted.end()
