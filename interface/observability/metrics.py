"""What operators measure: `GET /metrics`, in the text form of Prometheus.

What requests do is counted in memory. With several web workers it is counted in the folder
that PROMETHEUS_MULTIPROC_DIR names instead, by each in files of its own, and summed up over
all of them when somebody asks, over those that died too. How far the views have come is
read from the database whenever somebody asks.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from flask import Flask, Response, current_app
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as as_text
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.deadline import deadline
from interface.bootstrap import Services
from interface.observability.request_facts import method, route, seconds_taken
from projections.engine.runner import is_running
from projections.status import ViewStatus, statuses

DATABASE_SECONDS = 2.0
# Those that are to be seen as zero before the first: a rate knows no other way to start.
OUTCOMES = (
    "booked",
    "repeated",
    "link-not-found",
    "link-redeemed",
    "link-expired",
    "link-revoked",
    "slot-taken",
    "slot-not-offered",
    "idempotency-mismatch",
    "validation",
    "busy",
    "unavailable",
)
_EXTENSION = "admitone.metrics"
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds


class RefusalResponse(Response):
    """A response that refuses something; `refusal` names the problem, for the metrics."""

    refusal: str = "error"


def init_app(app: Flask, services: Services, *, refusal_of: Callable[[int], str]) -> None:
    """Measures all requests, and serves /metrics to everybody.

    `refusal_of` names the refusal behind a status where the response itself does not.
    """
    views = Views(
        lambda: statuses(services.database),
        lambda: is_running(services.database),
    )
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    measured = Metrics(views, Path(folder) if folder else None, refusal_of)
    app.extensions[_EXTENSION] = measured
    app.after_request(measured.count_request)
    app.add_url_rule("/metrics", "metrics", measured.scrape)


def count_redemption(outcome: str) -> None:
    """Counts a request to redeem a link: one of `OUTCOMES`, or the name of another problem."""
    measured: Metrics = current_app.extensions[_EXTENSION]
    measured.count_redemption(outcome)


class Metrics:
    """Make one in each worker, after the server has forked."""

    def __init__(
        self, views: Collector, folder: Path | None, refusal_of: Callable[[int], str]
    ) -> None:
        """`folder` is where all workers count; None: there is only this process."""
        self._refusal_of = refusal_of
        self._shown = CollectorRegistry()
        self._shown.register(views)
        if folder is not None:
            self._shown.register(AllWorkers(folder))
        registry = None if folder is not None else self._shown
        self._redemptions = Counter(
            "admitone_redemptions_total",
            "Requests to redeem a link, by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self._refusals = Counter(
            "admitone_refusals_total",
            "Requests that were refused, by the name of the problem.",
            ["reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "admitone_request_seconds",
            "How long requests took.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=registry,
        )
        for outcome in OUTCOMES:
            self._redemptions.labels(outcome)

    def count_request(self, response: Response) -> Response:
        """Counts a request once it is answered, whatever the answer."""
        status = response.status_code
        self._seconds.labels(method(), route(), f"{status // 100}xx").observe(seconds_taken())
        if isinstance(response, RefusalResponse):
            self._refusals.labels(response.refusal).inc()
        elif status >= 400:
            self._refusals.labels(self._refusal_of(status)).inc()
        return response

    def count_redemption(self, outcome: str) -> None:
        """Counts a request to redeem a link, by how it ended."""
        self._redemptions.labels(outcome).inc()

    def scrape(self) -> Response:
        """All that is measured, as Prometheus reads it."""
        return Response(as_text(self._shown), content_type=CONTENT_TYPE_LATEST)


class AllWorkers(Collector):
    """What is counted in the files of a folder, summed up."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """As the library's, which stumbles over a file that a worker is about to begin."""
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class Views(Collector):
    """How far views and rebuilds have come, as the database says now."""

    def __init__(
        self, statuses: Callable[[], list[ViewStatus]], is_running: Callable[[], bool]
    ) -> None:
        """`statuses` of all views; `is_running` tells of the projector."""
        self._statuses = statuses
        self._is_running = is_running

    def collect(self) -> Iterator[Metric]:
        """Without the database nothing but that it is not there."""
        try:
            with deadline(DATABASE_SECONDS):
                views, running = self._statuses(), self._is_running()
        except DATABASE_ERRORS:
            yield _database_up(False)
            return
        yield _database_up(True)
        yield GaugeMetricFamily(
            "admitone_projector_up", "Whether a projector keeps the views up.", value=running
        )
        yield GaugeMetricFamily(
            "admitone_log_position",
            "The position of the newest event.",
            value=max((view.head for view in views), default=0),
        )
        yield from _of_views(views)
        yield from _of_rebuilds(views)


def _database_up(value: bool) -> Metric:
    return GaugeMetricFamily(
        "admitone_database_up", "Whether the database answered just now.", value=value
    )


def _of_views(views: list[ViewStatus]) -> Iterator[Metric]:
    for name, what in (
        ("position", "The position up to which the view has seen the log."),
        ("lag_events", "Events that the view has not seen; above 100,000 not counted further."),
        ("lag_seconds", "Age of the oldest event that the view has not seen."),
        ("parked", "Events that the view could not apply and has set aside."),
    ):
        family = GaugeMetricFamily(f"admitone_view_{name}", what, labels=["view"])
        for view in views:
            family.add_metric([view.name], getattr(view, name))
        yield family


def _of_rebuilds(views: list[ViewStatus]) -> Iterator[Metric]:
    rebuilds = [(view.name, view.rebuild) for view in views if view.rebuild is not None]
    for name, what in (
        ("events", "Events that the rebuild has applied."),
        ("progress", "The part of the log that the rebuild has seen, 0 to 1."),
        ("seconds", "How long the rebuild has taken."),
    ):
        family = GaugeMetricFamily(f"admitone_rebuild_{name}", what, labels=["view"])
        for view, rebuild in rebuilds:
            family.add_metric([view], getattr(rebuild, name))
        yield family
    state = GaugeMetricFamily(
        "admitone_rebuild_state", "1 for the state of the last rebuild.", labels=["view", "state"]
    )
    for view, rebuild in rebuilds:
        state.add_metric([view, rebuild.state], 1)
    yield state
