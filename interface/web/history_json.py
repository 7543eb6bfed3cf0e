"""Histories as JSON, for the API and the command line."""

from typing import Any

from application.audit.replay import History, Step
from application.proofs.verifier import time_text
from projections.views.transparency_log import leaf_of


def history_json(history: History) -> dict[str, Any]:
    """Returns a page of a history: what each event changed, and the state after the last."""
    return {
        "id": str(history.id),
        "events": [changes_json(step) for step in history.steps],
        "state": history.state,
        "next_after": history.next_after,
    }


def changes_json(step: Step) -> dict[str, Any]:
    """Returns one event with what it changed."""
    return step_json(step) | {"changed": step.changed}


def step_json(step: Step) -> dict[str, Any]:
    """Returns one event, without what it changed."""
    recorded = step.recorded
    return {
        "position": recorded.position,
        "type": recorded.topic,
        "id": str(recorded.originator_id),
        "version": recorded.originator_version,
        "recorded_at": time_text(recorded.recorded_at),
        "decided_at": None if step.decided_at is None else time_text(step.decided_at),
        "actor": step.actor,
        "data": step.data,
        "typed": step.typed,
        "commitment": step.commitment,
        "fault": step.fault,
        "leaf_hash": leaf_of(recorded).hex(),
    }
