"""A tenant's metrics in the two JSON forms of seed 000 §10: made of rollups, and of what there is now.

Rates are fractions; times are milliseconds; costs are US cents; "today" begins at midnight UTC; throughput is of this
hour and the 23 before it. An error is a run, a tool call or a model call that failed: error_rate is of all three.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import models
from django.db.models import Q

from agents.models import Agent
from config.http.fields import iso
from governance.budgets.reservations import MICRO_PER_CENT
from memory.models import MemoryEntry
from observability.alerts.severity import severity
from observability.metrics.readings import Count, Figures, read, share, since
from orchestration.models import FINAL, App, Status, Workflow

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEMORY_OPERATIONS = ("store", "retrieve", "search", "delete")
OVERRUNS = ("cost_exceeded", "llm_calls_exceeded", "latency_exceeded")
FAILURES = ("run.failed", "tool.failed", "llm.failed")


@dataclass(frozen=True)
class Metrics:
    """All that is told of some tenants at one moment."""

    now: datetime
    figures: Figures
    memories: Counter[tuple[str, str]]  # (type, owner_type) → how many
    agents: frozenset[str]  # those that there are
    workflows: frozenset[str]
    apps: frozenset[str]


def measured(tenants: list[str], now: datetime) -> Metrics:
    """The metrics of these tenants."""
    return Metrics(
        now,
        read(tenants, now),
        _memories(tenants, now),
        *(_names(model, name, tenants) for model, name in ((Agent, "key"), (Workflow, "pk"), (App, "key"))),
    )


def _names(model: Any, name: str, tenants: list[str]) -> frozenset[str]:
    return frozenset(str(value) for value in _rows(model, tenants).order_by().values_list(name, flat=True))


def _rows(model: Any, tenants: list[str]) -> Any:
    return model.all_tenants.filter(tenant_id__in=tenants)


def _memories(tenants: list[str], now: datetime) -> Counter[tuple[str, str]]:
    rows = _rows(MemoryEntry, tenants).filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by()
    counted = rows.values_list("type", "owner_type").annotate(n=models.Count("pk"))
    return Counter({(kind, owner): n for kind, owner, n in counted})


def enhanced(m: Metrics) -> dict[str, Any]:
    """The enhanced form."""
    told = {"runs": _runs, "llm": _llm, "tools": _tools, "policies": _policies, "memory": _memory, "errors": _errors}
    told |= {"performance": _performance, "budgets": _budgets, "rate_limiting": _requests}
    told |= {"agents": _agents, "workflows": _workflows, "apps": _apps}
    return {"timestamp": iso(m.now), **{section: made(m) for section, made in told.items()}}


LEGACY = {
    "runs": "total by_status completed_today failed_today",
    "llm": "calls_total calls_today tokens_total tokens_today cost_cents_total cost_cents_today by_provider",
    "tools": "calls_total calls_today by_tool",
    "policies": "evaluations_total evaluations_today denials_total denials_today approvals_total approvals_today",
    "memory": "items_total operations_today",
    "errors": "total today by_type",
    "performance": "avg_run_duration_ms avg_step_duration_ms",
}


def legacy(m: Metrics) -> dict[str, Any]:
    """The older form: some of the same keys; memory.operations_today is their sum."""
    whole = enhanced(m)
    told = {section: {key: whole[section][key] for key in keys.split()} for section, keys in LEGACY.items()}
    told["memory"]["operations_today"] = sum(whole["memory"]["operations_today"].values())
    return {"timestamp": whole["timestamp"], **told}


def _runs(m: Metrics) -> dict[str, Any]:
    f = m.figures
    completed, failed = f.of("run", Status.COMPLETED), f.of("run", Status.FAILED)
    return {
        "total": f.of("run").ever,
        "by_status": f.by("run"),
        "completed_today": completed.today,
        "failed_today": failed.today,
        "paused_today": f.of("paused").today,
        "running_now": f.of("run", Status.RUNNING).ever,
        "by_workflow": f.by("run.workflow"),
        "by_app": f.by("run.app"),
        "by_mode": f.by("run.mode"),
        "by_kind": f.by("run.kind"),
        "throughput_per_hour": _per_hour(m, f.of("run", *FINAL)),
        "success_rate": share(completed.ever, completed.ever + failed.ever),
    }


def _llm(m: Metrics) -> dict[str, Any]:
    f = m.figures
    calls, cost, prompt, completion = f.of("llm"), f.of("llm.provider"), f.of("llm.prompt"), f.of("llm.completion")
    return {
        "calls_total": calls.ever,
        "calls_today": calls.today,
        "tokens_total": round(prompt.total + completion.total),
        "tokens_today": round(prompt.total_today + completion.total_today),
        "tokens_prompt_total": round(prompt.total),
        "tokens_completion_total": round(completion.total),
        "cost_cents_total": _cents(cost.total),
        "cost_cents_today": _cents(cost.total_today),
        "by_provider": f.by("llm.provider"),
        "by_model": f.by("llm.model"),
        "by_agent": f.by("llm.agent"),
        "avg_latency_ms": round(f.average("llm"), 1),
        **{f"latency_{name}_ms": f.percentile("llm.ms", p) for name, p in PERCENTILES.items()},
        "error_rate": share(f.of("llm.failed").ever, calls.ever),
    }


def _tools(m: Metrics) -> dict[str, Any]:
    f = m.figures
    calls = f.of("tool")
    return {
        "calls_total": calls.ever,
        "calls_today": calls.today,
        "by_tool": f.by("tool"),
        "by_risk_level": f.by("tool.risk"),
        "avg_duration_ms": round(f.average("tool"), 1),
        "error_rate": share(f.of("tool.failed").ever, calls.ever),
        "throughput_per_hour": _per_hour(m, calls),
    }


def _policies(m: Metrics) -> dict[str, Any]:
    f = m.figures
    evaluations, told = f.of("policy"), dict[str, int]()
    for name, result in (("denials", "denied"), ("approvals", "allowed"), ("requires_approval", "requires_approval")):
        told |= {f"{name}_total": f.of("policy", result).ever, f"{name}_today": f.of("policy", result).today}
    return {
        "evaluations_total": evaluations.ever,
        "evaluations_today": evaluations.today,
        **told,
        "by_scope": f.by("policy.scope"),
        "denial_rate": share(f.of("policy", "denied").ever, evaluations.ever),
    }


def _memory(m: Metrics) -> dict[str, Any]:
    types: Counter[str] = Counter()
    owners: Counter[str] = Counter()
    for (kind, owner), n in m.memories.items():
        types[kind] += n
        owners[owner] += n
    operations = {name: m.figures.of("tool", f"memory.{name}").today for name in MEMORY_OPERATIONS}
    return {
        "items_total": sum(types.values()),
        "items_by_type": dict(types.most_common()),
        "items_by_owner": dict(owners.most_common()),
        "operations_today": operations,
        "search_avg_latency_ms": round(m.figures.average("tool", "memory.search"), 1),
    }


def _errors(m: Metrics) -> dict[str, Any]:
    f = m.figures
    types: Counter[str] = Counter()
    for measure in FAILURES:
        types.update(f.by(measure))
    levels: Counter[str] = Counter()
    for error_type, n in types.items():
        levels[severity(error_type)] += n
    total = sum(types.values())
    return {
        "total": total,
        "today": sum(f.of(measure).today for measure in FAILURES),
        "by_type": dict(types.most_common()),
        "by_severity": {level: levels[level] for level in ("low", "medium", "high")},
        "error_rate": share(total, f.of("run").ever + f.of("tool").ever + f.of("llm").ever),
    }


def _performance(m: Metrics) -> dict[str, Any]:
    f = m.figures
    runs, steps = f.of("run", *FINAL), f.of("step")
    return {
        "avg_run_duration_ms": round(f.average("run", Status.COMPLETED), 1),
        **{f"run_duration_{name}_ms": f.percentile("run.ms", p) for name, p in PERCENTILES.items()},
        "avg_step_duration_ms": round(f.average("step"), 1),
        **{f"step_duration_{name}_ms": f.percentile("step.ms", p) for name, p in PERCENTILES.items()},
        "steps_per_run_avg": round(share(steps.ever, runs.ever), 2),
        "throughput_runs_per_hour": _per_hour(m, runs),
        "throughput_steps_per_hour": _per_hour(m, steps),
    }


def _budgets(m: Metrics) -> dict[str, Any]:
    f = m.figures
    exceeded = f.of("budget")
    return {
        "runs_with_budget": f.of("run.limited").ever,
        "budget_exceeded_total": exceeded.ever,
        "budget_exceeded_today": exceeded.today,
        "by_type": dict.fromkeys(OVERRUNS, 0) | f.by("budget"),
        "avg_cost_per_run_cents": _cents(f.average("run.cost")),
        "avg_llm_calls_per_run": round(f.average("run.calls"), 2),
    }


def _requests(m: Metrics) -> dict[str, Any]:
    passed, blocked = m.figures.of("requests"), m.figures.of("requests.blocked")
    return {
        "hits_total": passed.ever,
        "blocks_total": blocked.ever,
        "blocks_today": blocked.today,
        "by_type": m.figures.by("requests.blocked"),
        "block_rate": share(blocked.ever, passed.ever + blocked.ever),
    }


def _agents(m: Metrics) -> dict[str, Any]:
    used = m.figures.by("llm.agent")
    active = _active(m, "llm.agent", m.agents)
    return {"total_agents": len(m.agents), "active_agents": active, "calls_by_agent": used}


def _workflows(m: Metrics) -> dict[str, Any]:
    f = m.figures
    good, bad = f.by("run.workflow.completed"), f.by("run.workflow.failed")
    rates = {name: share(good.get(name, 0), good.get(name, 0) + bad.get(name, 0)) for name in good | bad}
    return {
        "total_workflows": len(m.workflows),
        "active_workflows": _active(m, "run.workflow", m.workflows),
        "runs_by_workflow": f.by("run.workflow"),
        "success_rate_by_workflow": rates,
    }


def _apps(m: Metrics) -> dict[str, Any]:
    active = _active(m, "run.app", m.apps)
    return {"total_apps": len(m.apps), "active_apps": active, "runs_by_app": m.figures.by("run.app")}


def _active(m: Metrics, measure: str, there_are: frozenset[str]) -> int:
    """How many of those that there are were used in the last 24 hours."""
    return len(there_are & m.figures.by(measure, "lately").keys())


def _per_hour(m: Metrics, count: Count) -> float:
    return round(count.lately / ((m.now - since(m.now)) / timedelta(hours=1)), 2)


def _cents(micro: float) -> float:
    return round(micro / MICRO_PER_CENT, 4)
