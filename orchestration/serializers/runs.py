"""How runs, steps and events look outside: seed 000 §3, plus RULINGS' additive keys."""

import uuid
from datetime import UTC, datetime
from typing import Any

from governance.budgets.reservations import MICRO_PER_CENT
from orchestration.models import Run


def stamp(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, ending in Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def step_id(run_id: uuid.UUID, name: str) -> str:
    """A step's id: made of the run's id and the step's name, so that nobody needs to store it."""
    return str(uuid.uuid5(run_id, name))


def run_json(run: Run) -> dict[str, Any]:
    """A run of any kind; money in cents, rounded once."""
    return {
        "id": str(run.id),
        "kind": run.kind,
        "workflow_id": run.subject_id,
        "workflow_version": run.subject_version,
        "status": run.status,
        "mode": run.mode,
        "input": run.input,
        "result": run.result,
        "failure_reason": run.failure_reason or None,
        "usage": usage_json(run),
        "budget": {
            "cost_limit_cents": None if run.cost_limit_micro is None else run.cost_limit_micro / MICRO_PER_CENT,
            "llm_calls_limit": run.calls_limit,
            "latency_slo_ms": run.latency_limit_ms,
        },
        "app_id": run.app_id or None,
        "app_action_id": run.app_action_id or None,
        "user_id": run.on_behalf_of or (str(run.created_by) if run.created_by else None),
        "tenant_id": run.tenant_id,
        "parent_run_id": str(run.parent_id) if run.parent_id else None,
        "created_at": stamp(run.created_at),
        "updated_at": stamp(run.updated_at),
        "started_at": stamp(run.started_at),
        "finished_at": stamp(run.finished_at),
    }


def started_json(run: Run) -> dict[str, Any]:
    """A run as the answer to its start showed it, for the replay of that answer."""
    fresh = Run(
        id=run.id, kind=run.kind, subject_id=run.subject_id, subject_version=run.subject_version, mode=run.mode,
        input=run.input, cost_limit_micro=run.cost_limit_micro, calls_limit=run.calls_limit,
        latency_limit_ms=run.latency_limit_ms, app_id=run.app_id, app_action_id=run.app_action_id,
        created_by=run.created_by, on_behalf_of=run.on_behalf_of, tenant_id=run.tenant_id,
    )  # fmt: skip
    fresh.created_at = fresh.updated_at = run.created_at
    return run_json(fresh)


def usage_json(run: Run) -> dict[str, Any]:
    """What the run has used."""
    return {
        "llm_calls": run.llm_calls,
        "cost_cents": round(run.cost_micro / MICRO_PER_CENT, 4),
        "prompt_tokens": run.prompt_tokens,
        "completion_tokens": run.completion_tokens,
    }


def event_json(row: dict[str, Any]) -> dict[str, Any]:
    """An event's row (run_id, seq, kind, step, payload, ts) in the contract's shape."""
    return {
        "id": f"{row['run_id']}-{row['seq']}",
        "seq": row["seq"],
        "step_id": step_id(row["run_id"], row["step"]) if row["step"] else None,
        "kind": row["kind"],
        "payload": row["payload"],
        "ts": stamp(row["ts"]),
    }


def step_json(row: dict[str, Any]) -> dict[str, Any]:
    """A step's row in the contract's shape."""
    return {
        "id": step_id(row["run_id"], row["name"]),
        "name": row["name"],
        "node_id": row["node_id"],
        "type": row["type"],
        "status": row["status"],
        "input": row["input"],
        "output": row["output"],
        "error": row["error"],
        "empty_references": row["empty_references"],
        "tries": row["tries"],
        "started_at": stamp(row["started_at"]),
        "finished_at": stamp(row["finished_at"]),
    }
