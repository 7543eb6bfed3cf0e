"""Metrics about views, rebuilds, deliveries and evidence, for `GET /metrics`."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from application.deliveries.deliveries import Backlog
from application.deliveries.delivery import DeliveryState
from application.deliveries.outbox import MAIL
from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.deadline import deadline
from interface.bootstrap import Services
from projections.catalogue import FOLLOWERS
from projections.engine.runner import is_running
from projections.evidence.evidence_checks import NAMES, EvidenceCheck, all_checks
from projections.status import ViewStatus, statuses

DATABASE_SECONDS = 2.0


def views_of(services: Services) -> "Views":
    """Returns the collector for the views in the services' database, looked up at each scrape."""
    return Views(
        lambda: statuses(services.database, FOLLOWERS),
        lambda: is_running(services.database),
        lambda: services.deliveries.backlog(now=services.now()),
        lambda: all_checks(services.database),
    )


class Views(Collector):
    """Metrics of views, rebuilds, deliveries and checks, read at each scrape."""

    def __init__(
        self,
        statuses: Callable[[], list[ViewStatus]],
        is_running: Callable[[], bool],
        backlog: Callable[[], list[Backlog]],
        checks: Callable[[], list[EvidenceCheck]],
    ) -> None:
        """Takes what returns each: views, whether a projector runs, what is due, checks."""
        self._statuses = statuses
        self._is_running = is_running
        self._backlog = backlog
        self._checks = checks

    def collect(self) -> Iterator[Metric]:
        """Yields all metrics or, without the database, only that it does not answer."""
        try:
            with deadline(DATABASE_SECONDS):
                views, running = self._statuses(), self._is_running()
                backlog, checks = self._backlog(), self._checks()
        except DATABASE_ERRORS:
            yield _database_up(False)
            return
        yield _database_up(True)
        yield GaugeMetricFamily(
            "admitone_projector_up", "1 if a projector keeps the views current.", value=running
        )
        yield GaugeMetricFamily(
            "admitone_log_position",
            "The position of the newest event.",
            value=max((view.head for view in views), default=0),
        )
        yield from _of_views(views)
        yield from _of_rebuilds(views)
        yield from _of_deliveries(backlog)
        yield from _of_checks(checks)


def _database_up(value: bool) -> Metric:
    return GaugeMetricFamily(
        "admitone_database_up", "1 if the database answered just now.", value=value
    )


def _of_views(views: list[ViewStatus]) -> Iterator[Metric]:
    for name, description in (
        ("position", "The position up to which the view has read the log."),
        ("lag_events", "Events that the view has not read yet, counted up to 100,000."),
        ("lag_seconds", "Age of the oldest event that the view has not read yet."),
        ("parked", "Events that the view could not apply and has parked."),
    ):
        family = GaugeMetricFamily(f"admitone_view_{name}", description, labels=["view"])
        for view in views:
            family.add_metric([view.name], getattr(view, name))
        yield family


def _of_rebuilds(views: list[ViewStatus]) -> Iterator[Metric]:
    rebuilds = [(view.name, view.rebuild) for view in views if view.rebuild is not None]
    for name, description in (
        ("events", "Events that the rebuild has applied."),
        ("progress", "The part of the log that the rebuild has read, 0 to 1."),
        ("seconds", "Duration of the rebuild so far."),
    ):
        family = GaugeMetricFamily(f"admitone_rebuild_{name}", description, labels=["view"])
        for view, rebuild in rebuilds:
            family.add_metric([view], getattr(rebuild, name))
        yield family
    state = GaugeMetricFamily(
        "admitone_rebuild_state", "1 for the state of the newest rebuild.", labels=["view", "state"]
    )
    for view, rebuild in rebuilds:
        state.add_metric([view, rebuild.state], 1)
    yield state


def _of_deliveries(backlog: list[Backlog]) -> Iterator[Metric]:
    """Yields zeros for a channel that has nothing left to send."""
    by_channel = {MAIL: Backlog(MAIL, 0, 0, 0.0)} | {each.channel: each for each in backlog}
    count = GaugeMetricFamily(
        "admitone_deliveries",
        "Deliveries that are due, now or later, and those that were given up.",
        labels=["channel", "state"],
    )
    overdue = GaugeMetricFamily(
        "admitone_deliveries_overdue_seconds",
        "Age of the oldest delivery that should have been sent.",
        labels=["channel"],
    )
    for each in by_channel.values():
        count.add_metric([each.channel, DeliveryState.DUE], each.due)
        count.add_metric([each.channel, DeliveryState.PARKED], each.parked)
        overdue.add_metric([each.channel], each.seconds)
    yield count
    yield overdue


def _of_checks(checks: list[EvidenceCheck]) -> Iterator[Metric]:
    """Yields no age for a check that was never made: there is none."""
    fault = GaugeMetricFamily(
        "admitone_evidence_fault",
        "1 if the check found that log, personal data or views are not as recorded.",
        labels=["check"],
    )
    age = GaugeMetricFamily(
        "admitone_evidence_age_seconds",
        "Seconds since the check was completed; of `signature`: since all events were signed.",
        labels=["check"],
    )
    checked = GaugeMetricFamily(
        "admitone_evidence_checked",
        "Events or rows that the check covered; of `signature`: the size of the checkpoint.",
        labels=["check"],
    )
    failures = CounterMetricFamily(
        "admitone_evidence_failures",
        "How often the check could not be completed.",
        labels=["check"],
    )
    found = {check.name: check for check in checks}
    for name in NAMES:
        fault.add_metric([name], name in found and found[name].fault is not None)
        failures.add_metric([name], found[name].failures if name in found else 0)
        if name in found:
            age.add_metric([name], found[name].age)
            checked.add_metric([name], found[name].checked)
    yield from (fault, age, checked, failures)
