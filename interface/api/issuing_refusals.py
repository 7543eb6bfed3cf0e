"""The refusals that calls to issue links share."""

from application.commands.agent_limits import AgentLimitReached, TooManyOpenLinks
from domain.errors import LinkExpired, LinkRedeemed, LinkRevoked

LIMITS = (AgentLimitReached, TooManyOpenLinks)
"""Refusals of a key beyond its limits."""

ERASED = (LinkRedeemed, LinkRevoked, LinkExpired)
"""Refusals of a repeated request whose text was erased meanwhile."""
