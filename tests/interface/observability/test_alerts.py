"""The alerts and the dashboard query only metrics that exist."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from interface.observability.metrics import OUTCOMES
from tests.support.service import Service

OBSERVABILITY = Path(__file__).parents[3] / "interface/observability"
ALERTS = (OBSERVABILITY / "alerts.yml").read_text()
DASHBOARD = json.loads((OBSERVABILITY / "dashboard.json").read_text())
METRIC = re.compile(r"\b(admitone_\w+)(?:\{([^}]*)\})?")


def expressions() -> Iterator[str]:
    """Yields all queries of the alerts and of the dashboard."""
    for rule in ALERTS.split("- alert: ")[1:]:
        found = re.search(r"expr: (?:>-\n)?(.*?)\n +(?:for|labels):", rule, re.DOTALL)
        assert found, rule
        yield found[1]
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel["targets"])


@pytest.fixture(scope="module")
def measured(service: Service) -> dict[str, list[dict[str, str]]]:
    """The labels of every sample by name, and the names without one, of a running service."""
    assert service.call("GET", "/api/v1/links").status_code == 401
    found: dict[str, list[dict[str, str]]] = {}
    for family in text_string_to_metric_families(service.call("GET", "/metrics").text):
        found.setdefault(family.name, [])
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample.labels)
    return found


def test_every_metric_in_a_query_exists(measured: dict[str, Any]) -> None:
    asked = {name for expression in expressions() for name, _ in METRIC.findall(expression)}
    assert len(asked) > 10
    assert asked - set(measured) == set()


def test_a_log_that_is_not_as_recorded_or_not_signed_is_told() -> None:
    evidence = {expression for expression in expressions() if "admitone_evidence" in expression}
    assert {
        "admitone_evidence_fault == 1",
        'admitone_evidence_age_seconds{check="signature"} > 600',
    } <= evidence


def test_every_label_in_a_query_exists(measured: dict[str, Any]) -> None:
    for expression in expressions():
        for name, selector in METRIC.findall(expression):
            labels = set(re.findall(r"(\w+)=~?\"", selector))
            for sample in measured[name]:
                assert labels <= set(sample), expression


def test_every_outcome_in_a_query_can_happen() -> None:
    asked = re.findall(r'outcome=~?"([^"]+)"', "".join(expressions()))
    assert {outcome for names in asked for outcome in names.split("|")} <= set(OUTCOMES)
    assert len(asked) >= 2


def test_no_two_parts_of_the_dashboard_share_a_place() -> None:
    places = [
        (place["x"] + column, place["y"] + row)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for column in range(place["w"])
        for row in range(place["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(column for column, _ in places) == 23
