"""Reads a list of people as it is pasted from mail programs, spreadsheets, files and notes.

A line holds one person or several. Semicolons, tabs and commas separate; inside quotes, and inside
the angle brackets around an address, they don't. A row with one address is one person, whatever its
other cells hold; with more, each address is a person, together with the name beside it. The first
line may name the columns. What was understood is shown before anything is done with it, so the
reader decides, and never asks.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from application.people.email_address import InvalidEmailAddress, normalized_email_address
from domain.errors import Sentence
from interface.pages.owner.pasted_cells import Cell, joined, lines_of_cells, main_separator
from interface.web.fields import too_long
from interface.web.request_schemas import LONGEST_PERSON


class UnreadableRecipient(ValueError):
    """A line whose name or address can't be used; `sentence` tells people why."""

    def __init__(self, line: int, sentence: Sentence) -> None:
        super().__init__(line, sentence)
        self.line = line
        self.sentence = sentence


@dataclass(frozen=True)
class PastedRecipient:
    """A person in the list: a name, an address, or both. What is missing is empty."""

    name: str
    email: str

    @property
    def label(self) -> str:
        """Returns the name, or the address of somebody without one."""
        return self.name or self.email

    def __str__(self) -> str:
        """Returns the person as mail programs write them: read again, it is the same person."""
        name = self.name
        if _NEEDS_QUOTES.search(name):
            name = '"' + name.replace("\\", r"\\").replace('"', '""') + '"'
        if not self.email:
            return name
        return f"{name} <{self.email}>" if name else self.email


@dataclass
class PastedRecipients:
    """The people of a list in its order, and how much of it was left out."""

    people: list[PastedRecipient] = field(default_factory=list)
    headers: int = 0
    repeated: int = 0

    def __str__(self) -> str:
        """Returns one person per line."""
        return "\n".join(map(str, self.people))


@dataclass(frozen=True)
class _Columns:
    """The places of the columns that a first line names. Others are left out."""

    separator: str
    names: tuple[int, ...]
    emails: tuple[int, ...]
    count: int


_NEEDS_QUOTES = re.compile(r'[,;\t"<>@]|^[-*•–·▪◦‣]|^\d{1,3}[.)]|:$|^\w+:')
_IN_BRACKETS = re.compile(r"<\s*(?:mailto:)?([^<>\n@]*@[^<>\n]*)>", re.IGNORECASE)
_BARE = re.compile(
    r"""(?<![^\s<>()\[\]{}"“”,;:])(?:mailto:)?([^\s<>()\[\]{}"“”,;:@]+@[^\s<>()\[\]{}"“”,;:]*)""",
    re.IGNORECASE,
)
_AROUND_A_NAME = " '“”„‘’()[]{}<>|:–—-"
# What columns are called, in the languages of the pages.
_NAME_COLUMN = re.compile(
    r"(full |display |contact |vollständiger )?name|names|anzeigename|contact|kontakt|person"
    r"|recipients?|empfänger|invitee"
)
_FIRST_NAME_COLUMN = re.compile(r"first ?name|given name|forename|vorname")
_LAST_NAME_COLUMN = re.compile(r"(last|family) ?name|surname|(nach|familien)name")
_OTHER_COLUMN = re.compile(
    r"compan(y|ies)|organi[sz]ation|(tele)?phone|mobile|title|role|notes?|comments?|id|no|nr|#|city"
    r"|country|department|group|team|status|date|firma|telefon|anrede|notiz|bemerkung|ort|land"
    r"|abteilung|gruppe|datum"
)
_EMAIL_COLUMN = re.compile(
    r"(your |work )?(e-?)?mail([ -]?addresse?|-?adresse)?s?( \d)?( - value)?"
)


def read_recipient(text: str) -> PastedRecipient:
    """Returns the one person in a text; one that names nobody or several is a name as it stands."""
    try:
        found = read_recipients(text)
    except UnreadableRecipient:
        return PastedRecipient(text, "")
    return found.people[0] if len(found.people) == 1 else PastedRecipient(text, "")


def read_recipients(text: str) -> PastedRecipients:
    """Returns the people in a pasted text; raises `UnreadableRecipient` for the first bad line.

    Somebody who comes again, with the same address or, without one, the same name, is left out.
    """
    found = PastedRecipients()
    columns: _Columns | None = None
    seen: set[str] = set()
    is_first = True
    for line, cells in lines_of_cells(text):
        if is_first and (columns := _columns(cells)) is not None:
            found.headers += 1
            is_first = False
            continue
        is_first = False
        try:
            people = list(_people(cells, columns))
        except InvalidEmailAddress as refusal:
            raise UnreadableRecipient(line, refusal.sentence) from None
        for person in people:
            if len(person.name) > LONGEST_PERSON:
                raise UnreadableRecipient(line, too_long(LONGEST_PERSON))
            key = (person.email or person.name).casefold()
            if key in seen:
                found.repeated += 1
            else:
                seen.add(key)
                found.people.append(person)
    return found


def _columns(cells: Sequence[Cell]) -> _Columns | None:
    """Returns the columns if the cells are titles of columns: one of addresses, or only names."""
    separator = main_separator(cells)
    titles = [cell.text.casefold().strip(" :*") for cell in joined(cells, separator)]

    def places(title: re.Pattern[str]) -> list[int]:
        return [place for place, text in enumerate(titles) if title.fullmatch(text)]

    emails = places(_EMAIL_COLUMN)
    names = places(_NAME_COLUMN) or places(_FIRST_NAME_COLUMN) + places(_LAST_NAME_COLUMN)
    others = [place for place, text in enumerate(titles) if not text] + places(_OTHER_COLUMN)
    if not emails and not (names and len({*names, *others}) == len(titles)):
        return None
    return _Columns(separator, tuple(names), tuple(emails), len(titles))


def _people(cells: Sequence[Cell], columns: _Columns | None) -> Iterator[PastedRecipient]:
    """Yields the people of one line."""
    separator = main_separator(cells)
    if columns is not None and columns.count > 1 and columns.separator == separator:
        yield from _people_by_column(joined(cells, separator), columns)
        return
    parts = [cell for cell in joined(cells, separator) if cell.text]
    if separator == "\t":
        yield from _people_of_a_row(parts)
    elif separator == ";":
        yield from _people_of_a_list(parts, cells)
    else:
        yield from _people_between_commas(parts)


def _people_by_column(cells: Sequence[Cell], columns: _Columns) -> Iterator[PastedRecipient]:
    """Yields the person of a row whose columns have titles, once for each of their addresses."""
    texts = dict(enumerate(cell.text for cell in cells))
    name = " ".join(filter(None, (texts.get(place, "") for place in columns.names)))
    addresses = [pair for place in columns.emails[:1] for pair in _addresses(texts.get(place, ""))]
    if addresses:
        for own_name, address in addresses:
            yield _person(name or own_name, address)
    elif not columns.emails and (found := _addresses(name)):
        yield from (_person(*pair) for pair in found)
    elif _name(name):
        yield _person(name, "")


def _people_of_a_row(cells: Sequence[Cell]) -> Iterator[PastedRecipient]:
    """Yields the person of a row of a spreadsheet, or each of them if it has several addresses."""
    found = [(place, pair) for place, cell in enumerate(cells) for pair in _addresses(cell.text)]
    if not found:
        yield from _named(" ".join(cell.text for cell in cells))
    elif len(found) == 1:
        place, (own_name, address) = found[0]
        before = " ".join(cell.text for cell in cells[:place])
        after = cells[place + 1].text if place + 1 < len(cells) else ""
        yield _person(own_name or before or after, address)
    else:
        yield from _side_by_side(cells)


def _people_of_a_list(parts: Sequence[Cell], cells: Sequence[Cell]) -> Iterator[PastedRecipient]:
    """Yields the people between semicolons: commas are within them, or separate as well."""
    with_address = [part for part in parts if _addresses(part.text)]
    if len(with_address) == 1 and len(parts) > 1 and len(_addresses(with_address[0].text)) == 1:
        yield from _people_of_a_row(parts)
        return
    if with_address and len(with_address) < len(parts):
        yield from _side_by_side([cell for cell in cells if cell.text])
        return
    groups: list[list[Cell]] = []
    for cell in cells:
        if cell.before == ";" or not groups:
            groups.append([])
        groups[-1].append(cell)
    for group in groups:
        if any(_addresses(cell.text) for cell in group):
            yield from _people_between_commas([cell for cell in group if cell.text])
        else:
            yield from _named(", ".join(cell.text for cell in group if cell.text))


def _people_between_commas(cells: Sequence[Cell]) -> Iterator[PastedRecipient]:
    """Yields one person with an address, or names alone, or the people of several addresses."""
    found = [pair for cell in cells for pair in _addresses(cell.text)]
    if len(found) == 1 and not found[0][0]:
        yield from _people_of_a_row(cells)
    elif not found:
        for cell in cells:
            yield from _named(cell.text)
    else:
        yield from _side_by_side(cells)


def _side_by_side(cells: Sequence[Cell]) -> Iterator[PastedRecipient]:
    """Yields the people of cells with several addresses, each with the name beside it."""
    has_address = [bool(_addresses(cell.text)) for cell in cells]
    alternates = all(has_address[place] == (place % 2 == 0) for place in range(len(cells)))
    if (
        alternates
        and len(cells) % 2 == 0
        and not any(name for cell in cells for name, _ in _addresses(cell.text))
    ):
        for cell, named in zip(cells[::2], cells[1::2], strict=True):
            ((_, address),) = _addresses(cell.text)[:1]
            yield _person(named.text, address)
        return
    # "Alder, Ann <ann@example.org>, Beam, Bob <bob@example.org>": some programs write all names so.
    is_family_first = len(cells) % 2 == 0 and all(
        has_address[place] == (place % 2 == 1)
        and (not cell.is_quoted if place % 2 == 0 else cell.before == ",")
        for place, cell in enumerate(cells)
    )
    waiting: list[Cell] = []
    for cell in cells:
        addresses = _addresses(cell.text)
        if not addresses:
            waiting.append(cell)
            continue
        name, address = addresses[0]
        if name and is_family_first:
            name, waiting = f"{name} {waiting[0].text}", []
        if not name:
            name, waiting = " ".join(each.text for each in waiting), []
        for each in waiting:
            yield from _named(each.text)
        waiting = []
        yield _person(name, address)
        yield from (_person(*pair) for pair in addresses[1:])
    for each in waiting:
        yield from _named(each.text)


def _addresses(text: str) -> list[tuple[str, str]]:
    """Returns each address in a text, with the name in front of it or, for the last one, behind."""
    found = list(_IN_BRACKETS.finditer(text)) or list(_BARE.finditer(text))
    pairs = []
    end = 0
    for match in found:
        pairs.append((_name(text[end : match.start()]), match[1].strip("'.‘’ ")))
        end = match.end()
    if len(pairs) == 1 and not pairs[0][0]:
        pairs = [(_name(text[end:]), pairs[0][1])]
    return pairs


def _person(name: str, address: str) -> PastedRecipient:
    """Returns the person; raises `InvalidEmailAddress`. A name that is the address is none."""
    email = normalized_email_address(address.replace("＠", "@")) if address else ""
    cleaned = _name(name)
    return PastedRecipient("" if cleaned.casefold() == email.casefold() else cleaned, email)


def _named(text: str) -> Iterator[PastedRecipient]:
    """Yields somebody without an address, if the text names anybody."""
    name = _name(text)
    if addresses := _addresses(name):
        yield from (_person(*pair) for pair in addresses)
    elif name:
        yield _person(name, "")


def _name(text: str) -> str:
    """Returns the text without what stands around names in lists, such as brackets."""
    if text.count('"') % 2:
        text = text.replace('"', "")
    return " ".join(text.split()).strip(_AROUND_A_NAME)
