"""Messages about the form that led to a page, named by a query parameter instead of stored."""

from flask import request

from interface.i18n import gettext
from interface.i18n import mark_for_translation as _

NOTICES = {
    "calendar-created": _("Calendar created."),
    "calendar-changed": _("Changes saved."),
    "calendar-archived": _(
        "Calendar archived. Links you have already sent keep working until they are used or expire."
    ),
    "schedule-created": _("Schedule created. Choose it on the form of a calendar."),
    "schedule-changed": _("Changes saved, also in the calendars that follow the schedule."),
    "schedule-deleted": _(
        "Schedule deleted. Calendars that followed it keep its hours as their own."
    ),
    "links-revoked": _("Links revoked."),
    "nothing-to-revoke": _("Select at least one link that is still active."),
    "link-revoked": _("Link revoked."),
    "link-changed": _("Changes saved."),
    "link-replaced": _("Link replaced. The old link no longer works, so send the new one."),
    "link-asked-for": _("The host has been asked for a new link."),
    "link-mailed": _("New link created. It is sent by mail to the person who asked for it."),
    "link-for-request": _("New link created. Send it to the person who asked for it."),
    "request-dismissed": _("Request removed."),
    "booking-moved": _("Booking moved."),
    "booking-cancelled": _("Booking cancelled."),
    "place-changed": _("Location changed."),
    "asked-to-reschedule": _("The invitee has been asked to choose another time."),
    "time-blocked": _("Time blocked. Existing bookings stay as they are."),
    "nothing-to-block": _("You have no open hours during that time, so there is nothing to block."),
    "time-opened": _("Your weekly hours are open again during that time."),
    "nothing-to-open": _("Your weekly hours are already open during that time, or you have none."),
    "details-erased": _("Your details have been erased."),
    "invitee-forgotten": _("Person forgotten. Everything they entered has been erased."),
    "busy-calendar-added": _("Calendar added. It is read within seconds."),
    "busy-calendar-removed": _("Calendar removed. Its busy times no longer count."),
    "busy-calendar-asked": _("The calendar is read again within seconds."),
    "webhook-changed": _("Changes saved."),
    "webhook-paused": _("Webhook paused."),
    "webhook-resumed": _("Webhook resumed."),
    "webhook-deleted": _("Webhook deleted."),
    "webhook-sent-again": _("The message is sent again within seconds."),
    "feed-created": _("Address created. Copy it, or open it in your calendar program."),
    "feed-revoked": _("Address revoked. Calendar programs no longer get your bookings from it."),
    "account-changed": _("Changes saved."),
    "notifications-changed": _("Changes saved."),
    "password-changed": _("Password changed. You are signed out on all other devices."),
    "passkey-added": _("Passkey added. You can sign in with it."),
    "passkey-renamed": _("Changes saved."),
    "passkey-removed": _("Passkey removed. Nobody can sign in with it any more."),
    "provider-connected": _("Connected. You can sign in with it."),
    "provider-disconnected": _("Disconnected. You can no longer sign in to this account with it."),
    "signed-out": _("You are signed out."),
    "not-signed-in": _("You were signed out, so nothing was changed. Sign in and try again."),
    "session-ended": _("Signed out of that browser."),
    "roles-changed": _("Roles changed."),
    "account-disabled": _("Account disabled. Nobody can sign in to it."),
    "account-enabled": _("Account enabled."),
    "account-signed-out": _("Signed out everywhere."),
    "key-revoked": _("API key revoked."),
    "rebuild-requested": _("Rebuild requested."),
    "parked-applied": _("All parked events have been applied."),
    "parked-left": _("Some events still can't be applied."),
    "delivery-retried": _("The delivery is tried again."),
    "signed-out-everywhere": _("Signed out everywhere else."),
}


def notice() -> str | None:
    """Returns the message that this page's address names, in the reader's language."""
    message = NOTICES.get(request.args.get("notice", ""))
    return gettext(message) if message else None
