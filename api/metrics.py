"""Figures of the running service for Prometheus; of no case, so nothing of a case is in a label."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from api.storage.ledger import State

CONTENT_TYPE = CONTENT_TYPE_LATEST
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "WEBSOCKET"})
_SECONDS = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 60.0, 600.0)


class Metrics:
    """Counters that grow as the service works, and gauges that are set when they are read."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "trocar_requests", "Requests answered", ["method", "route", "status"],
            registry=self._registry,
        )  # fmt: skip
        self._seconds = Histogram(
            "trocar_request_seconds", "Time to answer", ["route"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._plan_seconds = Histogram(
            "trocar_plan_seconds", "Time of one attempt at a plan", ["ended"], buckets=_SECONDS,
            registry=self._registry,
        )  # fmt: skip
        self._plans = Gauge("trocar_plans", "Plans by state", ["state"], registry=self._registry)
        self._waiting = Gauge(
            "trocar_jobs_waiting", "Jobs that wait for a worker", registry=self._registry
        )
        self._oldest = Gauge(
            "trocar_oldest_queued_seconds", "Age of the plan that has waited longest",
            registry=self._registry,
        )  # fmt: skip

    def answered(self, method: str, route: str, status: int, took_s: float) -> None:
        """Count an answer."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(took_s)

    def attempted(self, ended: str, took_s: float) -> None:
        """Count an attempt at a plan: ``done``, ``failed`` or ``lost`` with its worker."""
        self._plan_seconds.labels(ended).observe(took_s)

    def text(self, plans: Mapping[State, int], waiting: int, oldest_s: float) -> bytes:
        """Return all figures."""
        for state in State:
            self._plans.labels(state.value).set(plans.get(state, 0))
        self._waiting.set(waiting)
        self._oldest.set(oldest_s)
        return generate_latest(self._registry)
