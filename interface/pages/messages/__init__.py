"""`python -m interface.pages.messages`: collects all texts of the pages into the catalogues.

Texts come from the templates, from `_()`, `gettext()` and `ngettext()` in the pages' modules,
from each `Sentence` about a value, and from the docstrings of refusals, which people read.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from domain.errors import AdmitOneError

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent.parent

_METHODS = [
    ("interface/pages/templates/**.html", "jinja2.ext:babel_extract"),
    ("interface/**.py", "python"),
    ("application/**.py", "python"),
    ("domain/**.py", "python"),
]
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "Sentence": None}
_OPTIONS = {"interface/pages/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}


def template() -> Catalog:
    """Returns a catalogue of all messages, without translations."""
    catalog = Catalog(project="Admit One", charset="utf-8")
    for name, line, message, comments, _context in extract_from_dir(
        str(ROOT), _METHODS, _OPTIONS, _KEYWORDS, directory_filter=_is_ours
    ):
        catalog.add(message, locations=[(name, line)], auto_comments=comments)
    for sentence in _sentences_of_refusals(AdmitOneError):
        catalog.add(sentence)
    return catalog


def _is_ours(folder: str) -> bool:
    """Returns True if messages can be in this folder or below it."""
    parts = Path(folder).relative_to(ROOT).parts
    return not parts or parts[0] in ("interface", "application", "domain")


def update(language: str) -> Catalog:
    """Returns the catalogue of a language with all current messages, new ones untranslated."""
    path = FOLDER / f"{language}.po"
    if path.exists():
        with path.open("rb") as file:
            catalog = read_po(file, locale=language)
    else:
        catalog = Catalog(locale=language, project="Admit One", charset="utf-8")
    catalog.update(template(), no_fuzzy_matching=True, update_header_comment=False)
    catalog.obsolete.clear()
    return catalog


def missing(catalog: Catalog) -> list[str]:
    """Returns the messages that have no translation, or only a fuzzy one.

    Readers see them in English.
    """
    return [str(message.id) for message in catalog if message.id and not _is_translated(message)]


def _is_translated(message: Message) -> bool:
    text = message.string
    return not message.fuzzy and (all(text) if isinstance(text, tuple) else bool(text))


def _sentences_of_refusals(kind: type[AdmitOneError]) -> Iterator[str]:
    if kind.__module__.startswith(("domain.", "application.", "interface.web.")):
        yield str(kind.__doc__)
    for subclass in kind.__subclasses__():
        yield from _sentences_of_refusals(subclass)


def main(languages: Iterable[str] = ("de",)) -> None:
    """Updates all catalogues and prints the messages that still need a translation."""
    for language in languages:
        catalog = update(language)
        with (FOLDER / f"{language}.po").open("wb") as file:
            write_po(file, catalog, width=100, omit_header=True, no_location=True)
        untranslated = missing(catalog)
        print(f"{language}: {len(catalog)} messages, {len(untranslated)} untranslated")  # noqa: T201
        for message in untranslated:
            print(f"  {message}")  # noqa: T201
