"""Refusals as pages for people."""

from flask import render_template
from werkzeug.exceptions import HTTPException

from domain.errors import AdmitOneError
from interface.api.problems import answer_to
from interface.pages.locale import gettext


def refused(error: AdmitOneError) -> tuple[str, int]:
    """A page with the sentence of the refusal."""
    status, _ = answer_to(error, owner=True)
    return render_template("message.html", title=gettext(error.detail)), status


def http_refused(error: HTTPException) -> tuple[str, int]:
    """A page for what the framework itself refuses."""
    status = error.code or 500
    sentences = {
        403: gettext("This form can't be sent from there. Go back, reload the page, try again."),
        404: gettext("There is no such page."),
        413: gettext("That is too much text."),
        500: gettext("Something went wrong on our side. Try again shortly."),
    }
    title = sentences.get(status, gettext("That can't be done."))
    return render_template("message.html", title=title), status
