"""Pages for errors that no view handles itself."""

from math import ceil

from flask import Response, render_template
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from application.people.rate_limits import TooManyAttempts
from domain.errors import AdmitOneError, LinkNotFound
from interface.i18n import duration_text, gettext
from interface.web.problems import WrongHost, headers_of, refusal_page


def refused(error: AdmitOneError) -> Response:
    """Returns a page with the message of the refusal."""
    # The sentence of `LinkNotFound` is for people who have copied a link. They have other pages.
    is_link = isinstance(error, LinkNotFound)
    title = gettext("Link not found.") if is_link else gettext(error.detail)
    page = render_template("message.html", title=title, hint=when_to_try_again(error))
    return refusal_page(page, error, owner=True)


def when_to_try_again(error: AdmitOneError) -> str | None:
    """Returns a sentence about how long to wait after too many failed attempts."""
    if not isinstance(error, TooManyAttempts):
        return None
    duration = duration_text(ceil(error.retry_after / 60))
    return gettext("You can try again in %(duration)s.") % {"duration": duration}


def wrong_host(error: WrongHost) -> Response:
    """Returns a page without assets, which would be refused at this address as well."""
    return refusal_page(render_template("wrong_host.html"), error, owner=True)


def http_refused(error: HTTPException) -> ResponseReturnValue:
    """Returns a page for an HTTP error of the framework, such as 404."""
    status = error.code or 500
    sentences = {
        403: gettext("This form could not be accepted. Go back, reload the page and try again."),
        404: gettext("Page not found."),
        413: gettext("That's too much text."),
        500: gettext("Something went wrong on our side. Please try again shortly."),
    }
    title = sentences.get(status, gettext("That isn't possible."))
    return render_template("message.html", title=title), status, headers_of(error)
