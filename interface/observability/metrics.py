"""Counts requests and serves `GET /metrics`, in the text format of Prometheus.

A single process counts in memory. Several web workers count in files of their own in the folder
that PROMETHEUS_MULTIPROC_DIR names, and each scrape adds up the files of all workers, dead ones
included. The state of the views is read from the database at each scrape, once a second at most.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from hmac import compare_digest
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from flask import Flask, Response, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram
from prometheus_client import generate_latest as as_text
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from interface.bootstrap import Services
from interface.current_request import CurrentRequest, this_request
from interface.ip_address import is_loopback
from interface.observability import killed_workers
from interface.observability.view_metrics import views_of

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Shown as zero from the start, because a rate needs a value before the first event.
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
KEEP_SECONDS = 1.0  # how long the text of all metrics is kept
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds


class RefusalResponse(Response):
    """A response that refuses a request. `refusal` is the slug of the problem."""

    refusal: str = "error"

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        """Answers, and leaves the slug for the metrics."""
        this_request().refused_by = self.refusal
        return super().__call__(environ, start_response)


def init_app(app: Flask, services: Services, *, refusal_of: Callable[[int], str]) -> None:
    """Measures all requests and serves /metrics to this machine and to bearers of the token.

    `refusal_of` returns the slug for the status of a response that is no `RefusalResponse`.
    """
    views = views_of(services)
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    measured = Metrics(views, Path(folder) if folder else None, refusal_of)

    def scrape() -> Response:
        """Answers with all metrics."""
        return _refusal(services.settings.metrics_token) or measured.scrape()

    app.extensions[_EXTENSION] = measured
    app.add_url_rule("/metrics", "metrics", scrape)


def _refusal(token: str) -> Response | None:
    """Returns how to refuse the current request to read the metrics, or None to allow it.

    A request that was forwarded comes from elsewhere, even if the proxy runs on this machine.
    """
    kind, _, sent = request.headers.get("Authorization", "").partition(" ")
    if token and kind.lower() == "bearer" and compare_digest(sent.strip().encode(), token.encode()):
        return None
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    if is_loopback(request.remote_addr or "") and not is_forwarded:
        return None
    if token:
        refused = RefusalResponse("Send Authorization: Bearer ADMITONE_METRICS_TOKEN.\n", 401)
        refused.headers["WWW-Authenticate"] = 'Bearer realm="Admit One metrics"'
        refused.refusal = "unauthorized"
    else:
        refused = RefusalResponse("Only this machine may read the metrics.\n", 403)
        refused.refusal = "forbidden"
    refused.mimetype = "text/plain"
    return refused


def count_request(request: CurrentRequest, status: int, seconds: float) -> None:
    """Counts a request that is answered with this status after so many seconds."""
    measured: Metrics = request.extensions[_EXTENSION]
    measured.count_request(request, status, seconds)


def count_redemption(outcome: str) -> None:
    """Counts a request to redeem a link by one of `OUTCOMES` or the slug of another problem."""
    measured: Metrics = this_request().extensions[_EXTENSION]
    measured.count_redemption(outcome)


class Metrics:
    """The counters of one web worker, and the page that shows those of all workers.

    A forked process counts for itself, in a file of its own.
    """

    def __init__(
        self, views: Collector, folder: Path | None, refusal_of: Callable[[int], str]
    ) -> None:
        """`folder` is where all workers count. None means that there is only this process."""
        self._refusal_of = refusal_of
        self._computing = Lock()
        self._computed_at = -inf
        self._text = b""
        self._shown = CollectorRegistry()
        self._shown.register(views)
        if folder is not None:
            self._shown.register(AllWorkers(folder))
            self._shown.register(KilledWorkers(folder))
        registry = None if folder is not None else self._shown
        self._redemptions = Counter(
            "admitone_redemptions_total",
            "Requests to redeem a link, by outcome.",
            ["outcome"],
            registry=registry,
        )
        self._refusals = Counter(
            "admitone_refusals_total",
            "Refused requests, by the slug of the problem.",
            ["reason"],
            registry=registry,
        )
        self._seconds = Histogram(
            "admitone_request_seconds",
            "Duration of requests.",
            ["method", "route", "status"],
            buckets=BUCKETS,
            registry=registry,
        )
        # Finding a counter by its labels takes longer than counting.
        self._redemptions_of = cache(self._redemptions.labels)
        self._seconds_of = cache(
            lambda method, route, hundreds: self._seconds.labels(method, route, f"{hundreds}xx")
        )
        for outcome in OUTCOMES:
            self._redemptions_of(outcome)

    def count_request(self, request: CurrentRequest, status: int, seconds: float) -> None:
        """Counts a request that is answered with this status after so many seconds."""
        self._seconds_of(request.method, request.route, status // 100).observe(seconds)
        refusal = request.refused_by
        if refusal is None and status >= 400:
            refusal = self._refusal_of(status)
        if refusal is not None:
            self._refusals.labels(refusal).inc()

    def count_redemption(self, outcome: str) -> None:
        """Counts a request to redeem a link by its outcome."""
        self._redemptions_of(outcome).inc()

    def scrape(self) -> Response:
        """Returns all metrics. They are computed at most once a second, however many ask."""
        is_due = monotonic() >= self._computed_at + KEEP_SECONDS
        # Only the very first scrapes wait for one another.
        if is_due and self._computing.acquire(blocking=not self._text):
            try:
                if monotonic() >= self._computed_at + KEEP_SECONDS:
                    self._text = as_text(self._shown)
                    self._computed_at = monotonic()
            finally:
                self._computing.release()
        return Response(self._text, content_type=CONTENT_TYPE_LATEST)


class AllWorkers(Collector):
    """The sum of what all workers have counted in the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yields like MultiProcessCollector, but skips files that a worker has not filled yet."""
        files = [str(file) for file in self._folder.glob("*.db") if file.stat().st_size]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class KilledWorkers(Collector):
    """The number of web workers that were killed, as a metric."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Yields the counter."""
        yield CounterMetricFamily(
            "admitone_workers_killed",
            "Web workers that were killed because they no longer answered.",
            value=killed_workers.count(self._folder),
        )
