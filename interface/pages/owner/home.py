"""The home page: the next bookings and the active links, the first link, or the sign-in form."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from application.people.accounts import Account
from domain.link import LinkStatus
from interface.pages.owner import first_link, link_requests
from interface.pages.shared.auth import current_session, has_role
from interface.pages.shared.sign_in import sign_in_page
from interface.web.request_context import services
from projections.views import booking_calendar, calendar_list, link_list

blueprint = Blueprint("home", __name__)

_MOST_LISTED = 5
# Of people who are not owners, by role.
_FIRST_PAGES = {"auditor": "audit_pages.index", "operator": "operations.index"}


@blueprint.get("/")
def show() -> ResponseReturnValue:
    """Shows owners their home page, leads others to theirs, and asks strangers to sign in."""
    session = current_session()
    if session is None:
        return sign_in_page(next_path=request.args.get("next"))
    if has_role("owner"):
        return _home_page(session.account)
    first = next((page for role, page in _FIRST_PAGES.items() if has_role(role)), "account.show")
    return redirect(url_for(first))


def _home_page(account: Account) -> str:
    current = services()
    now = current.now()
    calendars = calendar_list.calendars_of(current.database, account.id)
    if not calendars:
        return render_template("home.html", calendars={}, **first_link.form_context(account))
    return render_template(
        "home.html",
        link_requests=link_requests.requests_of_owner(),
        calendars={calendar.id: calendar for calendar in calendars},
        zone=account.time_zone or calendars[0].terms.rules.time_zone,
        bookings=booking_calendar.bookings_of(
            current.database, account.id, since=now, limit=_MOST_LISTED
        ),
        links=link_list.links_of(
            current.database,
            account.id,
            now=now,
            status=LinkStatus.ACTIVE,
            limit=_MOST_LISTED,
        ),
    )
