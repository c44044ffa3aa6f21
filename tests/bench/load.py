"""Runs that are put into the queue as rows, and waited for."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from uuid_utils.compat import uuid7

from orchestration.models import Run
from orchestration.runs.wake import wake
from tests.bench.setting import Bench

LOOK_S = 0.005
PATIENCE_S = 60.0
ENDED = "SELECT count(*) FROM orchestration_run WHERE id = ANY(%s) AND status = 'completed'"


class Lost(SystemExit):
    """Runs did not complete, so that there is nothing to measure."""


@dataclass(frozen=True)
class Batch:
    """Queued runs and the moment of the commit that showed them to the engines."""

    ids: list[UUID]
    began: float


def queue(bench: Bench, count: int, **fields: Any) -> Batch:
    """So many new runs with these fields; the engines are woken."""
    moment = timezone.now()
    always = {"tenant_id": bench.tenant.pk, "due_at": moment, "created_at": moment, "updated_at": moment}
    runs = [Run(id=uuid7(), **always | fields) for _ in range(count)]
    with transaction.atomic():
        Run.all_tenants.bulk_create(runs)
        began = time.perf_counter()
    bench.database.transactions += 1
    wake()
    return Batch([run.id for run in runs], began)


def wait_idle(bench: Bench, look: Callable[[], None] | None = None) -> float:
    """The moment at which no run was left to do; `look` is called meanwhile."""
    end = time.monotonic() + PATIENCE_S
    while bench.database.at_work:
        if time.monotonic() > end:
            raise Lost(f"Runs are still under way after {PATIENCE_S:.0f} s; see DATA_DIR/log.")
        if look:
            look()
        time.sleep(LOOK_S)
    return time.perf_counter()


def check(bench: Bench, ids: list[UUID]) -> None:
    """Refuse to go on when one of these runs did not complete."""
    ended = bench.database.one(ENDED, ids)
    if ended != len(ids):
        raise Lost(f"{len(ids) - ended} of {len(ids)} runs did not complete.")


def seconds(bench: Bench, batch: Batch, look: Callable[[], None] | None = None) -> float:
    """How long the batch took, from its commit until all of it was completed."""
    ended = wait_idle(bench, look)
    check(bench, batch.ids)
    return ended - batch.began
