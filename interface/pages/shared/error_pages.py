"""Pages for errors that no view handles itself."""

from flask import Response, render_template
from werkzeug.exceptions import HTTPException

from domain.errors import AdmitOneError
from interface.pages.shared.i18n import gettext
from interface.web.problems import refusal_page


def refused(error: AdmitOneError) -> Response:
    """Returns a page with the message of the refusal."""
    page = render_template("message.html", title=gettext(error.detail))
    return refusal_page(page, error, owner=True)


def http_refused(error: HTTPException) -> tuple[str, int]:
    """Returns a page for an HTTP error of the framework, such as 404."""
    status = error.code or 500
    sentences = {
        403: gettext("This form can't be sent from there. Go back, reload the page, try again."),
        404: gettext("There is no such page."),
        413: gettext("That is too much text."),
        500: gettext("Something went wrong on our side. Try again shortly."),
    }
    title = sentences.get(status, gettext("That can't be done."))
    return render_template("message.html", title=title), status
