"""Floors that are no program of their own: a message per run, a bare row, a Redis message."""

import asyncio
import time
from contextlib import ExitStack
from uuid import UUID

import psycopg
from django.db import transaction
from uuid_utils.compat import uuid7

from config.database.address import direct_parameters
from orchestration.models import Run
from orchestration.runs.subscription import redis_client
from tests.bench import floor_tasks
from tests.bench.setting import Bench
from tests.bench.stack import FLOOR_QUEUE, FLOOR_THREADS

LOOK_S = 0.02
FLOOR_RUNS = 400
INSERT = "INSERT INTO bench_row (id, payload, created_at) VALUES (%s, '{}', now())"
SELECT = "SELECT id, payload, created_at FROM bench_row WHERE id = %s"
ENDED = "SELECT count(*) FROM orchestration_run WHERE id = ANY(%s) AND status = 'completed'"


def messages_per_s(bench: Bench, workers: int) -> list[float]:
    """Runs per second of so many Celery workers with a message per run, per trial."""
    with ExitStack() as running:
        for number in range(workers):
            running.enter_context(bench.stack.floor_worker(number))
        _walk(bench, FLOOR_QUEUE, FLOOR_THREADS * workers * 2)  # every thread has its connection now
        return [FLOOR_RUNS / _walk(bench, f"bench-floor-{trial}", FLOOR_RUNS) for trial in range(bench.trials)]


def _walk(bench: Bench, queue: str, count: int) -> float:
    """The seconds from the moment at which the workers were told of a full queue until all its runs are completed."""
    same = {"tenant_id": bench.tenant.pk, "kind": floor_tasks.KIND}
    runs = [Run(id=uuid7(), **same) for _ in range(count)]
    with transaction.atomic():
        Run.all_tenants.bulk_create(runs)
    for run in runs:
        floor_tasks.walk.apply_async([str(run.pk)], queue=queue)
    began = time.perf_counter()
    floor_tasks.app.control.add_consumer(queue)
    ids = [run.pk for run in runs]
    while bench.database.one(ENDED, ids) < count:
        if time.perf_counter() - began > 60:
            raise SystemExit("The floor's workers do not work; see DATA_DIR/log/floor-worker-0.log.")
        time.sleep(LOOK_S)
    return time.perf_counter() - began


def bare_rows_ms(count: int) -> list[float]:
    """How long one insert and one select take, one pair at a time."""
    taken = []
    with psycopg.connect(**direct_parameters(), autocommit=True) as connection:
        for _ in range(count):
            began, key = time.perf_counter(), UUID(int=uuid7().int)
            connection.execute(INSERT, [key])
            connection.execute(SELECT, [key]).fetchone()
            taken.append((time.perf_counter() - began) * 1000)
    return taken


async def messages_ms(count: int, apart_s: float) -> list[float]:
    """How long a Redis message takes from its publisher to a subscriber, one at a time."""
    taken = []
    async with redis_client() as redis, redis.pubsub(ignore_subscribe_messages=True) as heard:
        await heard.subscribe("bench:floor")
        listening = heard.listen()
        for _ in range(count):
            await asyncio.sleep(apart_s)
            began = time.perf_counter()
            await redis.publish("bench:floor", b"tick")
            await anext(listening)
            taken.append((time.perf_counter() - began) * 1000)
    return taken
