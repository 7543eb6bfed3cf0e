"""CSV files for spreadsheets, of what owners have."""

import csv
import io
from collections.abc import Iterable, Sequence

from flask import Response

# A spreadsheet treats a cell that begins with one of these as a formula.
_FORMULA_STARTS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")  # the last four are full-width


def csv_file(name: str, titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Response:
    """Returns the response with a file of this name."""
    file = io.StringIO()
    # All are in quotes: where a semicolon divides cells, one within a text does not.
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(titles)
    writer.writerows(rows)
    return Response(
        file.getvalue().encode("utf-8-sig"),  # Excel recognises UTF-8 by its byte order mark
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def spreadsheet_cell(text: str | None) -> str:
    """Returns the text, with a leading apostrophe where a spreadsheet would see a formula."""
    text = text or ""
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
