"""The tools: what an assistant can do with a key, or with one link and no account."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType, to_builtins

from application.proofs import verifier
from interface.agents.service_client import Refused, ServiceClient, part, repeatable

BEARER = "the bearer of a link"
MOST_TIMES = 200

_NEW = Meta(description="Leave it out to keep it as it is; null empties it.")
_Days = Annotated[str | None, Meta(description="A date such as 2027-01-18.")]
_Zone = Annotated[str | None, Meta(description="An IANA time zone such as Europe/Paris.")]
_Id = Annotated[str, Meta(description="The id, as the list has it.")]


class Arguments(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """The arguments of a tool."""


class OfLink(Arguments):
    """Arguments of a tool for the bearer of a link."""

    link: Annotated[
        str | None, Meta(description="The link or its token. Leave it out if there is one only.")
    ] = None


class OfBooking(Arguments):
    """Arguments of a tool for the invitee of a booking."""

    manage_url: Annotated[str, Meta(description="As the tool `book` has returned it.")]


@dataclass(frozen=True)
class Tool:
    """A tool. `needs` is a scope of the key, or `BEARER`."""

    name: str
    title: str
    needs: str
    arguments: type[Arguments]
    run: Callable[[ServiceClient, Any], Any]
    reads_only: bool = True
    destroys: bool = False

    @property
    def description(self) -> str:
        """Says what it does, for assistants."""
        return " ".join((self.run.__doc__ or "").split())


def tools_for(scopes: Collection[str], *, link: str | None, reads_only: bool) -> list[Tool]:
    """Returns the tools that a key with these scopes allows, or that one link allows."""
    needs = {BEARER} if link is not None else {*scopes, BEARER}
    found = [tool for tool in TOOLS if tool.needs in needs and (tool.reads_only or not reads_only)]
    if link is None:
        return found
    booked: set[str] = set()
    bound = [_bound_to(link, booked, tool) for tool in found]
    # Without `book`, no booking is theirs to show.
    return [tool for tool in bound if not (reads_only and issubclass(tool.arguments, OfBooking))]


def _bound_to(link: str, booked: set[str], tool: Tool) -> Tool:
    """Returns a tool that works with this link alone, and its booking, whatever it is asked.

    `booked` has the tokens that manage the booking, once `book` has returned it.
    """

    def run_with_link(service: ServiceClient, given: Any) -> Any:
        if given.link is not None and _token(given.link) != _token(link):
            raise Refused("This server is for one link only, and that is another one.")
        given.link = link
        found = tool.run(service, given)
        if tool.run is _book:
            booked.add(_token(found["manage_url"]))
        return found

    def run_with_booking(service: ServiceClient, given: Any) -> Any:
        if _token(given.manage_url) not in booked:
            raise Refused(
                "This server is for one link only: take the `manage_url` that its tool `book` has"
                " returned since it was started. Book again with the same arguments to get it."
            )
        return tool.run(service, given)

    run = run_with_link if issubclass(tool.arguments, OfLink) else run_with_booking
    run.__doc__ = tool.run.__doc__
    return replace(tool, run=run)


# Owners


def _list_calendars(service: ServiceClient, given: Arguments) -> Any:
    """List the calendars of the account: what can be booked, with ids and durations."""
    return service.read("/calendars")


class _FreeTimes(Arguments):
    calendar_id: _Id
    first_day: _Days = None
    last_day: _Days = None
    time_zone: _Zone = None


def _free_times(service: ServiceClient, given: _FreeTimes) -> Any:
    """List the times at which a calendar can be booked, in UTC: by default those of 14 days.

    `next_from` is the first day that was left out, or null.
    """
    path = f"/calendars/{part(given.calendar_id)}/slots"
    return _times(service, path, given.first_day, given.last_day, given.time_zone)


class _IssueLink(Arguments):
    calendar_id: _Id
    recipient: Annotated[str | None, Meta(description="Who it is for. Only you see it.")] = None
    note: Annotated[str | None, Meta(description="Only you see it.")] = None
    reference: Annotated[str | None, Meta(description="An id of your own.")] = None
    expires_in_days: Annotated[int, Meta(ge=1, le=365)] | None = None
    invitee_name: Annotated[str | None, Meta(description="Fills in the booking form.")] = None
    invitee_email: Annotated[str | None, Meta(description="Fills in the booking form.")] = None
    occasion: Annotated[
        str | None,
        Meta(
            description="Sets this link apart from an earlier one with the same arguments, if a"
            " second one is really wanted."
        ),
    ] = None


def _issue_link(service: ServiceClient, given: _IssueLink) -> Any:
    """Issue a single-use link: whoever has it can book one time in this calendar, once.

    The same arguments always give the same link, so it is safe to call this again.
    """
    prefill = {"name": given.invitee_name, "email": given.invitee_email}
    body = {
        "recipient": given.recipient,
        "note": given.note,
        "reference": given.reference,
        "prefill": prefill if any(prefill.values()) else None,
    } | ({"expires_in_days": given.expires_in_days} if given.expires_in_days else {})
    issued = service.send(
        "POST",
        f"/calendars/{part(given.calendar_id)}/links",
        body=body,
        headers=repeatable("issue_link", to_builtins(given)),
    )
    return service.read(f"/links/{issued.value['id']}")  # as it is now, if it was issued before


class _ChangeLink(Arguments):
    link_id: _Id
    recipient: Annotated[str | UnsetType | None, _NEW] = UNSET
    note: Annotated[str | UnsetType | None, _NEW] = UNSET
    reference: Annotated[str | UnsetType | None, _NEW] = UNSET
    expires_at: Annotated[
        str | UnsetType, Meta(description="A time such as 2027-02-01T00:00:00Z.")
    ] = UNSET


def _change_link(service: ServiceClient, given: _ChangeLink) -> Any:
    """Change the texts or the expiry of a link that is active."""
    path = f"/links/{part(given.link_id)}"
    found = service.send("GET", path)
    changes = to_builtins(given)
    del changes["link_id"]
    return service.send("PATCH", path, body=changes, headers={"If-Match": found.etag}).value


class _RevokeLink(Arguments):
    link_id: _Id
    reason: str | None = None


def _revoke_link(service: ServiceClient, given: _RevokeLink) -> Any:
    """Revoke a link permanently: nobody can book with it any more. Ask the user first."""
    path = f"/links/{part(given.link_id)}/revoke"
    return service.send("POST", path, body={"reason": given.reason}).value


class _ListLinks(Arguments):
    status: Annotated[
        str | None, Meta(description="active, redeemed, expired or revoked; all by default.")
    ] = None
    search: Annotated[str | None, Meta(description="A part of recipient or note.")] = None
    cursor: Annotated[str | None, Meta(description="The `next_cursor` of the last page.")] = None


def _list_links(service: ServiceClient, given: _ListLinks) -> Any:
    """List links, the newest first, with what became of them."""
    query = {"status": given.status, "q": given.search, "cursor": given.cursor}
    return service.read("/links", limit=50, **query)


class _ListBookings(Arguments):
    since: Annotated[str | None, Meta(description="Only those that end after this time.")] = None
    until: Annotated[str | None, Meta(description="Only those that start before this.")] = None
    cursor: Annotated[str | None, Meta(description="The `next_cursor` of the last page.")] = None


def _list_bookings(service: ServiceClient, given: _ListBookings) -> Any:
    """List the bookings of the account in the order of their times."""
    query = {"from": given.since, "to": given.until, "cursor": given.cursor}
    return service.read("/bookings", limit=50, **query)


# The bearer of a link


def _describe_link(service: ServiceClient, given: OfLink) -> Any:
    """Say what a link invites to: with whom, where, how long, and until when it can be used."""
    return service.read(f"/booking-links/{_token_of(given)}")


class _TimesOfLink(OfLink):
    first_day: _Days = None
    last_day: _Days = None
    time_zone: _Zone = None


def _times_of_link(service: ServiceClient, given: _TimesOfLink) -> Any:
    """List the times that a link offers, in UTC: by default those of 14 days."""
    path = f"/booking-links/{_token_of(given)}/slots"
    return _times(service, path, given.first_day, given.last_day, given.time_zone)


class _Book(OfLink, kw_only=True):
    start: Annotated[str, Meta(description="The start of a free time, such as the list has it.")]
    name: Annotated[str, Meta(description="Who comes.")]
    email: Annotated[str, Meta(description="Their e-mail address.")]
    time_zone: _Zone = None
    notes: Annotated[str | None, Meta(description="For the host.")] = None


def _book(service: ServiceClient, given: _Book) -> Any:
    """Book one time with a link, which is used up then. Ask the user which time they want.

    The same arguments always give the same booking, so it is safe to call this again. Keep
    `manage_url`: whoever has it can move or cancel the booking.
    """
    return service.send(
        "POST",
        f"/booking-links/{_token_of(given)}/redeem",
        body={
            "start": given.start,
            "invitee": {"name": given.name, "email": given.email, "time_zone": given.time_zone},
            "notes": given.notes,
        },
        headers=repeatable("book", to_builtins(given) | {"link": _token_of(given)}),
    ).value


def _show_booking(service: ServiceClient, given: OfBooking) -> Any:
    """Show a booking that was made with a link, and what can still be changed."""
    return service.read(f"/manage/{_managed(given)}")


class _MoveBooking(OfBooking):
    start: Annotated[str, Meta(description="The start of a free time.")]


def _move_booking(service: ServiceClient, given: _MoveBooking) -> Any:
    """Move a booking to another free time. Ask the user first."""
    path = f"/manage/{_managed(given)}/reschedule"
    return service.send("POST", path, body={"start": given.start}).value


class _CancelBooking(OfBooking):
    reason: Annotated[str | None, Meta(description="For the host.")] = None


def _cancel_booking(service: ServiceClient, given: _CancelBooking) -> Any:
    """Cancel a booking permanently; its link stays used. Ask the user first."""
    path = f"/manage/{_managed(given)}/cancel"
    return service.send("POST", path, body={"reason": given.reason}).value


# Auditors


class _Replay(Arguments):
    link_id: Annotated[str, Meta(description="The id of the link.")]
    as_of: Annotated[
        str | None, Meta(description="A time or a position of the log; the end by default.")
    ] = None


def _replay(service: ServiceClient, given: _Replay) -> Any:
    """Replay what happened to a link and its booking: each event, who caused it, and the state."""
    return service.read(f"/audit/links/{part(given.link_id)}", as_of=given.as_of)


class _Verify(Arguments):
    position: Annotated[int, Meta(ge=1, description="The position of an event in the log.")]
    public_key: Annotated[
        str | None,
        Meta(description="The key of the log, from another source than this service if possible."),
    ] = None


def _verify(service: ServiceClient, given: _Verify) -> Any:
    """Verify that an event is in the log under its newest signed checkpoint.

    Signature and proof are checked here, not by the service.
    """
    proof = service.read(f"/audit/events/{given.position}/proof")
    key = given.public_key or service.read("/audit/key").strip()
    try:
        checkpoint = verifier.verify_checkpoint(proof["checkpoint"], key)
        verifier.verify_inclusion(
            bytes.fromhex(proof["leaf_hash"]),
            proof["index"],
            checkpoint.size,
            [bytes.fromhex(node) for node in proof["proof"]],
            checkpoint.root,
        )
    except verifier.ProofError as error:
        raise Refused(
            f"The proof is wrong: {error}. Tell the user: it may be tampering."
        ) from error
    return {"position": given.position, "verified": True, "size": checkpoint.size, "key": key}


class _FindEvents(Arguments):
    after: Annotated[int, Meta(ge=0, description="`next_after` of the last page.")] = 0
    topic: Annotated[str | None, Meta(description="A kind, such as link.issued.")] = None
    actor: Annotated[str | None, Meta(description="Who did it, such as agent:1a2b3c4d.")] = None


def _find_events(service: ServiceClient, given: _FindEvents) -> Any:
    """List the events of the log in order, of one kind or of one actor if you like."""
    query = {"after": given.after, "topic": given.topic, "actor": given.actor}
    return service.read("/audit/events", limit=50, **query)


class _Report(Arguments):
    first_day: Annotated[
        str | None, Meta(description="Counts from this day in UTC on, such as 2027-01-01.")
    ] = None
    last_day: Annotated[
        str | None, Meta(description="Counts until the end of this day in UTC.")
    ] = None


def _report(service: ServiceClient, given: _Report) -> Any:
    """Report whether any link was ever used twice, and how many were issued, used and revoked.

    The service checks its whole log: each statement says on how many events, and where it does
    not hold. The counts are those of the days given, or of all.
    """
    query = {"from": given.first_day, "to": given.last_day}
    return service.read("/audit/reports/single-use", **query)


TOOLS = (
    Tool("list_calendars", "List calendars", "calendars", Arguments, _list_calendars),
    Tool("free_times", "Free times of a calendar", "calendars", _FreeTimes, _free_times),
    Tool("issue_link", "Issue a link", "links", _IssueLink, _issue_link, reads_only=False),
    Tool("change_link", "Change a link", "links", _ChangeLink, _change_link, reads_only=False),
    Tool(
        *("revoke_link", "Revoke a link", "links", _RevokeLink, _revoke_link),
        reads_only=False,
        destroys=True,
    ),
    Tool("list_links", "List links", "links", _ListLinks, _list_links),
    Tool("list_bookings", "List bookings", "bookings", _ListBookings, _list_bookings),
    Tool("describe_link", "Describe a link", BEARER, OfLink, _describe_link),
    Tool("times_of_link", "Free times of a link", BEARER, _TimesOfLink, _times_of_link),
    Tool("book", "Book a time", BEARER, _Book, _book, reads_only=False, destroys=True),
    Tool("show_booking", "Show a booking", BEARER, OfBooking, _show_booking),
    Tool(
        *("move_booking", "Move a booking", BEARER, _MoveBooking, _move_booking),
        reads_only=False,
        destroys=True,
    ),
    Tool(
        *("cancel_booking", "Cancel a booking", BEARER, _CancelBooking, _cancel_booking),
        reads_only=False,
        destroys=True,
    ),
    Tool("replay", "Replay the history of a link", "audit", _Replay, _replay),
    Tool("verify", "Verify an event", "audit", _Verify, _verify),
    Tool("list_events", "List events", "audit", _FindEvents, _find_events),
    Tool("report", "Report on single use", "audit", _Report, _report),
)


def _times(
    service: ServiceClient,
    path: str,
    first_day: str | None,
    last_day: str | None,
    time_zone: str | None,
) -> Any:
    """Returns free times, cut where they would be too many to read."""
    query = {"from": first_day, "to": last_day, "time_zone": time_zone}
    found = service.read(path, **query)
    slots = found["slots"]
    if len(slots) > MOST_TIMES:
        day = datetime.fromisoformat(slots[MOST_TIMES]["start"]).date()
        found = {"slots": slots[:MOST_TIMES], "next_from": day.isoformat()}
    return found


def _token_of(given: OfLink) -> str:
    if given.link is None:
        raise Refused("Which link? Ask the user for it, and pass it as `link`.")
    return part(_token(given.link))


def _managed(given: OfBooking) -> str:
    return part(_token(given.manage_url))


def _token(text: str) -> str:
    """Returns the token that a link ends with."""
    return text.strip().rstrip("/").rpartition("/")[2].partition("?")[0]
