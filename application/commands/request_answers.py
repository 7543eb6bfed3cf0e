"""Answers requests for a new link with one."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from application.commands.erasure import erase
from application.commands.links import LinkCommands
from application.commands.new_link import NewLink
from application.commands.repeated_issuing import IssuingKey
from application.eventstore.event_sourced_application import Written
from application.link_requests import LinkRequest, LinkRequestNotFound, LinkRequests
from application.people.personal_data import Prefill
from domain.errors import LinkEnded
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

        Raises `CalendarArchived`, `LinkNotFound`, or, if the text of the new link was erased
        meanwhile, a refusal of a repeated `LinkCommands.issue`; the request stays then. Raises
        `LinkRequestNotFound` if the request has ended otherwise, even meanwhile: the link is
        revoked then, and its text erased.
        """
        old = self.links.event_store.get_own(SingleUseLink, request.link_id, request.owner_id)
        new = NewLink(
            recipient=request.name,
            life=min(old.expires_at - old.created_on, LONGEST_LIFE),
            prefill=Prefill(request.name, request.email),
            # Days and times of the old link may be over, so the new one offers all of the calendar.
            offer=replace(EVERYTHING, duration_minutes=(old.offer or EVERYTHING).duration_minutes),
        )
        new_link_id = IssuingKey(request.owner_id, request.key).link_id(0)
        self.requests.begin_to_answer(request, new_link_id)
        issued = self.links.issue(
            calendar_id=old.calendar_id,
            owner_id=request.owner_id,
            links=[new],
            actor=actor,
            now=now,
            idempotency_key=request.key,
        )
        (link,) = issued.value
        try:
            self.requests.end_with(link, request, now=now)
        except LinkRequestNotFound:
            with suppress(LinkEnded):
                self.links.revoke(
                    link_id=link.id,
                    owner_id=request.owner_id,
                    reason=None,
                    actor=actor,
                    now=now,
                )
            erase(self.links.event_store.database, [link.id])
            raise
        return Written(link, issued.position)
