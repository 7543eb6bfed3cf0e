"""`python -m interface.pages.messages`: collects all texts of the pages into the catalogues.

Texts come from the templates, from `_()` and `gettext()` in the pages' modules, and from
the refusals and field checks, whose sentences are written elsewhere and shown in pages.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from domain.errors import AdmitOneError

FOLDER = Path(__file__).parent
PAGES = FOLDER.parent
INTERFACE = PAGES.parent

_METHODS = [("**/templates/**.html", "jinja2.ext:babel_extract"), ("pages/**.py", "python")]
_KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}
_OPTIONS = {"**/templates/**.html": {"trimmed": "true", "newstyle_gettext": "true"}}


def template() -> Catalog:
    """Every message there is, without translations."""
    catalog = Catalog(project="Admit One", charset="utf-8")
    for name, line, message, comments, _context in extract_from_dir(
        str(INTERFACE), _METHODS, _OPTIONS, _KEYWORDS
    ):
        catalog.add(message, locations=[(name, line)], auto_comments=comments)
    for sentence in _sentences_of_refusals(AdmitOneError):
        catalog.add(sentence)
    return catalog


def update(language: str) -> Catalog:
    """The catalogue of a language with all messages, new ones still empty."""
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
    """The messages that have no translation."""
    return [str(message.id) for message in catalog if message.id and not _is_translated(message)]


def _is_translated(message: object) -> bool:
    text = getattr(message, "string", "")
    return all(text) if isinstance(text, tuple) else bool(text)


def _sentences_of_refusals(kind: type[AdmitOneError]) -> Iterator[str]:
    yield str(kind.__doc__)
    for narrower in kind.__subclasses__():
        yield from _sentences_of_refusals(narrower)


def main(languages: Iterable[str] = ("de",)) -> None:
    """Bring all catalogues up to date and say what still lacks words."""
    for language in languages:
        catalog = update(language)
        with (FOLDER / f"{language}.po").open("wb") as file:
            write_po(file, catalog, width=100, omit_header=False, no_location=True)
        lacking = missing(catalog)
        print(f"{language}: {len(catalog)} messages, {len(lacking)} without words")  # noqa: T201
        for message in lacking:
            print(f"  {message}")  # noqa: T201
