"""What ``/metrics`` counts; each room counts its own."""

import os

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector

disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus-client

REQUESTS = Counter("gateway_requests_total", "HTTP requests.", ["method", "route", "status"])
LATENCY = Histogram(
    "gateway_request_seconds",
    "Seconds from the request's first byte to the answer's last.",
    ["method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
CHARGES = Counter("gateway_charges_total", "Charges that reached a status.", ["status"])
DELIVERIES = Counter("gateway_deliveries_total", "Webhook delivery attempts.", ["result"])


def exposition() -> bytes:
    """The figures in Prometheus' text format, of all worker processes where there are several."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call] # prometheus-client
    return generate_latest(registry)
