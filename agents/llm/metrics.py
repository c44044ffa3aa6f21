"""How long models take, for `/metrics`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from config.processes.metrics import histogram

CALL_SECONDS = histogram(
    "regente_model_call_seconds",
    "Time that calls of models took; a provider that has no setting of its own is other.",
    ["provider", "outcome"],
    buckets=(0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120),
)


@contextmanager
def model_call(provider: str) -> Iterator[None]:
    """Measure what is inside as one call."""
    label = provider if provider in settings.PROVIDER_KEYS or provider == "offline" else "other"
    began, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "answered"
    finally:
        CALL_SECONDS.labels(label, outcome).observe(time.perf_counter() - began)
