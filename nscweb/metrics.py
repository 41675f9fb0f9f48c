"""Figures for Prometheus, right also with several worker processes.

`nscweb.serve` gives the workers a common directory in `PROMETHEUS_MULTIPROC_DIR`, and whoever is asked adds them up.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Iterator

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector

from identities.services import jobs
from nscweb import addresses, errors

REQUESTS = Counter("nscweb_requests", "Requests answered.", ["method", "view", "status"])
SECONDS = Histogram(
    "nscweb_request_seconds",
    "Time to answer a request.",
    ["view"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})


def view_name(request: HttpRequest) -> str:
    """The name of the route that answers, "static" for files, "" when no route matched."""
    match = getattr(request, "resolver_match", None)
    if match is not None:
        return str(match.view_name)
    return "static" if request.path.startswith(settings.STATIC_URL) else ""


def observe(request: HttpRequest, status: int, seconds: float) -> None:
    """Count one answered request. Labels come from closed sets, never from what a client wrote."""
    method = request.method if request.method in _METHODS else "other"
    observe_view(str(method), view_name(request) or "none", status, seconds)


def observe_view(method: str, view: str, status: int, seconds: float) -> None:
    """Count one request that this view answered."""
    REQUESTS.labels(method, view, str(status)).inc()
    SECONDS.labels(view).observe(seconds)


class _Background:
    """Figures that the database holds, the same for every process that is asked; none while it can't be read."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read them."""
        try:
            alive, waiting = jobs.workers_alive(), jobs.due()
        except DatabaseError:
            return
        yield GaugeMetricFamily("nscweb_workers_alive", "Background workers seen lately.", value=alive)
        yield GaugeMetricFamily("nscweb_jobs_waiting", "Jobs that a worker could begin now.", value=waiting)


BACKGROUND = CollectorRegistry()
BACKGROUND.register(_Background())


def _permitted(request: HttpRequest) -> bool:
    token: str = settings.METRICS_TOKEN
    kind, _, given = request.headers.get("Authorization", "").partition(" ")
    if token and kind.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode()):
        return True
    return addresses.is_local(request)


@require_GET
def metrics(request: HttpRequest) -> HttpResponse:
    """The text that Prometheus reads; for this host itself, or with the token of NSCWEB_METRICS_TOKEN."""
    if not _permitted(request):
        return errors.not_found(request)
    registry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    text = generate_latest(registry) + generate_latest(BACKGROUND)
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
