"""The proof of single use as a page to print, written for a file: it needs nothing beside it."""

from datetime import datetime
from typing import Any

from flask import Flask, render_template

from interface.pages import locale


def single_use_page(report: dict[str, Any]) -> str:
    """What `application.single_use.report` found."""
    app = Flask("interface", template_folder="pages/templates")
    locale.init_app(app)
    app.add_template_filter(_when, "when")
    with app.test_request_context():
        return render_template("audit/single_use.html", report=report)


def _when(moment: str) -> str:
    return f"{locale.moment_text(datetime.fromisoformat(moment), 'UTC')} UTC"
