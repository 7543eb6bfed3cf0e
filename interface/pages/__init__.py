"""The pages: rendered on the server, usable without JavaScript, in the reader's language."""

from flask import Flask

from interface import i18n
from interface.pages.admin import accounts
from interface.pages.auditor import audit_log, checkpoint, histories, security_log, single_use
from interface.pages.invitee import booking_confirmation, booking_page, manage_booking
from interface.pages.operator import operations
from interface.pages.owner import (
    blocked_time,
    booking_changes,
    bookings,
    busy_calendars,
    calendar_feeds,
    calendars,
    erasure,
    first_link,
    home,
    invitee_preview,
    link_requests,
    links,
    schedules,
    share_batch,
    share_link,
    webhooks,
)
from interface.pages.shared import (
    account,
    auth,
    confirmation,
    csrf,
    evidence,
    flash_messages,
    forms,
    help_pages,
    identity_provider,
    llms_text,
    passkeys,
    pasted_links,
    settings_pages,
    sign_in,
)
from interface.web.public_address import this_address
from interface.web.reader_preferences import with_choice
from interface.web.request_context import mail_goes_out
from interface.web.static_files import asset


def init_app(app: Flask) -> None:
    """Registers the pages."""
    i18n.prepare(app.jinja_env)
    auth.init_app(app)
    csrf.init_app(app)
    pasted_links.init_app(app)
    settings_pages.init_app(app)
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["attributes"] = forms.attributes
    app.jinja_env.globals |= {
        "asset": asset,
        "evidence_faults": evidence.evidence_faults,
        "notice": flash_messages.notice,
        "mail_goes_out": mail_goes_out,
        "this_address": this_address,
        "with_choice": with_choice,
    }
    for module in (
        llms_text,
        identity_provider,
        sign_in,
        home,
        first_link,
        calendars,
        schedules,
        busy_calendars,
        webhooks,
        calendar_feeds,
        share_link,
        share_batch,
        links,
        invitee_preview,
        link_requests,
        bookings,
        blocked_time,
        booking_changes,
        erasure,
        audit_log,
        histories,
        checkpoint,
        security_log,
        single_use,
        operations,
        accounts,
        settings_pages,
        help_pages,
        account,
        confirmation,
        passkeys,
        booking_page,
        booking_confirmation,
        manage_booking,
    ):
        app.register_blueprint(module.blueprint)
