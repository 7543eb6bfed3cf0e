"""The single-use report as a page to print: one HTML file in English without other files."""

from datetime import datetime
from typing import Any

from babel import dates
from jinja2 import Environment, PackageLoader

_ENVIRONMENT = Environment(
    loader=PackageLoader("interface.web"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def single_use_page(report: dict[str, Any]) -> str:
    """Returns the result of `application.audit.single_use_report.report` as HTML."""
    return _ENVIRONMENT.get_template("single_use_report.html").render(report=report)


def _moment(text: str) -> str:
    """Returns an RFC 3339 time as people write it, such as 24 Nov 2026, 09:30 UTC."""
    moment = datetime.fromisoformat(text)
    return f"{dates.format_datetime(moment, 'd MMM yyyy, HH:mm', locale='en')} UTC"


_ENVIRONMENT.filters["moment"] = _moment
