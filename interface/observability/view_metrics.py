"""Metrics about the views and their rebuilds, for `GET /metrics`."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from application.eventstore.database import DATABASE_ERRORS
from application.eventstore.deadline import deadline
from interface.bootstrap import Services
from projections.engine.runner import is_running
from projections.status import ViewStatus, statuses

DATABASE_SECONDS = 2.0


def views_of(services: Services) -> "Views":
    """Returns the collector for the views in the services' database, looked up at each scrape."""
    return Views(lambda: statuses(services.database), lambda: is_running(services.database))


class Views(Collector):
    """The progress of the views and their rebuilds, read from the database at each scrape."""

    def __init__(
        self, statuses: Callable[[], list[ViewStatus]], is_running: Callable[[], bool]
    ) -> None:
        """`statuses` returns those of all views, `is_running` whether a projector runs."""
        self._statuses = statuses
        self._is_running = is_running

    def collect(self) -> Iterator[Metric]:
        """Yields all metrics or, without the database, only that it does not answer."""
        try:
            with deadline(DATABASE_SECONDS):
                views, running = self._statuses(), self._is_running()
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
