"""The floor of the engine's throughput: one Celery message per run, the same records written by the ORM in a task."""

import os
from typing import Any
from uuid import UUID

import redis
from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
app = Celery("floor")
app.config_from_object("django.conf:settings", namespace="CELERY")
KIND = "bench.floor"
STEPS = 3


@app.task(name="bench.walk")
def walk(run_id: str) -> None:
    """Claim the run, record three steps with their events, end it; tell of each on Redis."""
    from orchestration.models import Run

    run = Run.all_tenants.get(pk=UUID(run_id))
    if not Run.all_tenants.filter(pk=run.pk, owner=None).update(
        owner="floor", attempt=1, status="running", started_at=_now()
    ):
        return
    _record(run, [(1, "run_started", "", {"kind": run.kind, "subject_id": run.subject_id, "mode": run.mode})])
    for number in range(STEPS):
        _checkpoint(run, number)
    end = {
        "status": "completed",
        "owner": None,
        "result": {"n": STEPS - 1},
        "updated_at": _now(),
        "finished_at": _now(),
    }
    _record(run, [(2 + 2 * STEPS, "run_completed", "", {"result": {"n": STEPS - 1}})], **end)


def _now() -> Any:
    from django.utils import timezone

    return timezone.now()


def _checkpoint(run: Any, number: int) -> None:
    from orchestration.models import Step

    name, told = f"s{number}", {"node_id": f"s{number}", "node_type": "step"}
    done = told | {"output": {"n": number}, "duration_ms": 0.01}
    step = Step(run_id=run.pk, tenant_id=run.tenant_id, name=name, position=number + 1, node_id=name, type="step")
    step.status, step.output, step.started_at, step.finished_at = "completed", {"n": number}, _now(), _now()
    first = 2 + 2 * number
    _record(run, [(first, "step_started", name, told), (first + 1, "step_completed", name, done)], step)


def _record(run: Any, events: list[tuple[int, str, str, dict]], step: Any = None, **end: Any) -> None:
    """One transaction of a naive journal, and what it tells."""
    from django.db import transaction

    from orchestration.models import Run, RunEvent

    with transaction.atomic():
        if step:
            step.save(force_insert=True)
        same = {"run_id": run.pk, "tenant_id": run.tenant_id, "ts": _now()}
        RunEvent.all_tenants.bulk_create(
            RunEvent(seq=seq, kind=kind, step=name, payload=payload, **same) for seq, kind, name, payload in events
        )
        if end:
            Run.all_tenants.filter(pk=run.pk, owner="floor").update(**end)
    _redis().publish("bench:floor", str(run.pk))


_client: list[redis.Redis] = []


def _redis() -> redis.Redis:
    from django.conf import settings

    if not _client:
        _client.append(redis.Redis.from_url(settings.REDIS_URL))
    return _client[0]
