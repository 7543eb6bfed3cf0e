"""Answers requests for a new link with one."""

from dataclasses import dataclass, replace
from datetime import datetime

from application.commands.links import LinkCommands
from application.commands.new_link import NewLink
from application.eventstore.event_sourced_application import Written
from application.link_requests import LinkRequest, LinkRequests
from application.people.personal_data import Prefill
from domain.link import LONGEST_LIFE, SingleUseLink
from domain.offer import EVERYTHING


@dataclass(frozen=True)
class RequestAnswers:
    """Issues links for people who ask for a new one."""

    links: LinkCommands
    requests: LinkRequests

    def answer(self, request: LinkRequest, *, actor: str, now: datetime) -> Written[SingleUseLink]:
        """Issues a link like the one that has ended, and ends the request.

        The new link goes by mail to an address that was given. It has no note, because the old note
        may be about somebody else. Until the request has ended, doing this again returns the same
        link.

        Raises `CalendarArchived` or `LinkNotFound`, and the request stays.
        """
        old = self.links.event_store.get_own(SingleUseLink, request.link_id, request.owner_id)
        new = NewLink(
            recipient=request.name,
            life=min(old.expires_at - old.created_on, LONGEST_LIFE),
            prefill=Prefill(request.name, request.email),
            # Days and times of the old link may be over, so the new one offers all of the calendar.
            offer=replace(EVERYTHING, duration_minutes=(old.offer or EVERYTHING).duration_minutes),
        )
        issued = self.links.issue(
            calendar_id=old.calendar_id,
            owner_id=request.owner_id,
            links=[new],
            actor=actor,
            now=now,
            idempotency_key=request.key,
        )
        (link,) = issued.value
        self.requests.end_with(link, request, now=now)
        return Written(link, issued.position)
