"""What Prometheus sees of the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.process_collector import ProcessCollector

from .vote_queue import QueueUnavailable

# A `_created` series beside each counter doubles the scrape for nothing.
disable_created_metrics()


class Metrics:
    """One registry per application, so that tests do not share counters."""

    def __init__(self, queue_length: Callable[[], int], draining: Callable[[], bool]):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "vote_http_requests_total", "Requests answered.", ["method", "route", "code"], registry=self.registry
        )
        self.duration = Histogram(
            "vote_http_request_duration_seconds",
            "Seconds to answer a request.",
            ["route"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )
        self.accepted = Counter(
            "vote_votes_accepted_total",
            "Votes Redis has confirmed; repeat=true for a vote id accepted before.",
            ["choice", "repeat"],
            registry=self.registry,
        )
        self.redis_errors = Counter(
            "vote_redis_errors_total", "Calls to Redis that failed.", ["reason"], registry=self.registry
        )
        self.registry.register(_LiveCollector(queue_length, draining))


class _LiveCollector:
    """Values read at scrape time."""

    def __init__(self, queue_length: Callable[[], int], draining: Callable[[], bool]):
        self._queue_length = queue_length
        self._draining = draining

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("vote_redis_up", "1 when Redis answered this scrape.")
        try:
            length = self._queue_length()
        except QueueUnavailable:
            up.add_metric([], 0)
        else:
            up.add_metric([], 1)
            # Absent while Redis is away: a zero would read as an empty queue.
            yield GaugeMetricFamily("vote_queue_length", "Votes that wait to be counted.", value=length)
        yield up
        yield GaugeMetricFamily("vote_draining", "1 once shutdown has begun.", value=int(self._draining()))

    def describe(self) -> list[GaugeMetricFamily]:
        # Without it, registering would collect, and so call Redis, at start.
        return []
