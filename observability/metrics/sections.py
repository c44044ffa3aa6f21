"""The sections of a tenant's metrics (seed 000 §10), each as its JSON.

Rates are fractions; times are milliseconds; costs are US cents; "today" begins at midnight UTC; throughput is of this
hour and the 23 before it. An error is a run, a tool call or a model call that failed: error_rate is of all three.
"""

from collections import Counter
from datetime import timedelta

from config.values.json_types import JsonObject
from governance.budgets.reservations import MICRO_PER_CENT
from observability.metrics.metric_values import MetricValue, last_day_start, ratio
from observability.metrics.severity import severity
from observability.metrics.tenant_metrics import TenantMetrics
from orchestration.models import FINAL, Status

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
MEMORY_OPERATIONS = ("store", "retrieve", "search", "delete")
OVERRUNS = ("cost_exceeded", "llm_calls_exceeded", "latency_exceeded")
FAILURES = ("run.failed", "tool.failed", "llm.failed")


def runs(m: TenantMetrics) -> JsonObject:
    f = m.values
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
        "success_rate": ratio(completed.ever, completed.ever + failed.ever),
    }


def llm(m: TenantMetrics) -> JsonObject:
    f = m.values
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
        "error_rate": ratio(f.of("llm.failed").ever, calls.ever),
    }


def tools(m: TenantMetrics) -> JsonObject:
    f = m.values
    calls = f.of("tool")
    return {
        "calls_total": calls.ever,
        "calls_today": calls.today,
        "by_tool": f.by("tool"),
        "by_risk_level": f.by("tool.risk"),
        "avg_duration_ms": round(f.average("tool"), 1),
        "error_rate": ratio(f.of("tool.failed").ever, calls.ever),
        "throughput_per_hour": _per_hour(m, calls),
    }


def policies(m: TenantMetrics) -> JsonObject:
    f = m.values
    evaluations, results = f.of("policy"), dict[str, int]()
    for name, result in (("denials", "denied"), ("approvals", "allowed"), ("requires_approval", "requires_approval")):
        results |= {f"{name}_total": f.of("policy", result).ever, f"{name}_today": f.of("policy", result).today}
    return {
        "evaluations_total": evaluations.ever,
        "evaluations_today": evaluations.today,
        **results,
        "by_scope": f.by("policy.scope"),
        "denial_rate": ratio(f.of("policy", "denied").ever, evaluations.ever),
    }


def memory(m: TenantMetrics) -> JsonObject:
    types: Counter[str] = Counter()
    owners: Counter[str] = Counter()
    for (kind, owner), n in m.memories.items():
        types[kind] += n
        owners[owner] += n
    operations = {name: m.values.of("tool", f"memory.{name}").today for name in MEMORY_OPERATIONS}
    return {
        "items_total": sum(types.values()),
        "items_by_type": dict(types.most_common()),
        "items_by_owner": dict(owners.most_common()),
        "operations_today": operations,
        "search_avg_latency_ms": round(m.values.average("tool", "memory.search"), 1),
    }


def errors(m: TenantMetrics) -> JsonObject:
    f = m.values
    types: Counter[str] = Counter()
    for metric in FAILURES:
        types.update(f.by(metric))
    levels: Counter[str] = Counter()
    for error_type, n in types.items():
        levels[severity(error_type)] += n
    total = sum(types.values())
    return {
        "total": total,
        "today": sum(f.of(metric).today for metric in FAILURES),
        "by_type": dict(types.most_common()),
        "by_severity": {level: levels[level] for level in ("low", "medium", "high")},
        "error_rate": ratio(total, f.of("run").ever + f.of("tool").ever + f.of("llm").ever),
    }


def performance(m: TenantMetrics) -> JsonObject:
    f = m.values
    runs, steps = f.of("run", *FINAL), f.of("step")
    return {
        "avg_run_duration_ms": round(f.average("run", Status.COMPLETED), 1),
        **{f"run_duration_{name}_ms": f.percentile("run.ms", p) for name, p in PERCENTILES.items()},
        "avg_step_duration_ms": round(f.average("step"), 1),
        **{f"step_duration_{name}_ms": f.percentile("step.ms", p) for name, p in PERCENTILES.items()},
        "steps_per_run_avg": round(ratio(steps.ever, runs.ever), 2),
        "throughput_runs_per_hour": _per_hour(m, runs),
        "throughput_steps_per_hour": _per_hour(m, steps),
    }


def budgets(m: TenantMetrics) -> JsonObject:
    f = m.values
    exceeded = f.of("budget")
    return {
        "runs_with_budget": f.of("run.limited").ever,
        "budget_exceeded_total": exceeded.ever,
        "budget_exceeded_today": exceeded.today,
        "by_type": dict.fromkeys(OVERRUNS, 0) | f.by("budget"),
        "avg_cost_per_run_cents": _cents(f.average("run.cost")),
        "avg_llm_calls_per_run": round(f.average("run.calls"), 2),
    }


def requests(m: TenantMetrics) -> JsonObject:
    hits, blocks = m.values.of("requests"), m.values.of("requests.blocked")
    return {
        "hits_total": hits.ever,
        "blocks_total": blocks.ever,
        "blocks_today": blocks.today,
        "by_type": m.values.by("requests.blocked"),
        "block_rate": ratio(blocks.ever, hits.ever + blocks.ever),
    }


def agents(m: TenantMetrics) -> JsonObject:
    used = m.values.by("llm.agent")
    active = _active(m, "llm.agent", m.agents)
    return {"total_agents": len(m.agents), "active_agents": active, "calls_by_agent": used}


def workflows(m: TenantMetrics) -> JsonObject:
    f = m.values
    good, bad = f.by("run.workflow.completed"), f.by("run.workflow.failed")
    rates = {name: ratio(good.get(name, 0), good.get(name, 0) + bad.get(name, 0)) for name in good | bad}
    return {
        "total_workflows": len(m.workflows),
        "active_workflows": _active(m, "run.workflow", m.workflows),
        "runs_by_workflow": f.by("run.workflow"),
        "success_rate_by_workflow": rates,
    }


def apps(m: TenantMetrics) -> JsonObject:
    active = _active(m, "run.app", m.apps)
    return {"total_apps": len(m.apps), "active_apps": active, "runs_by_app": m.values.by("run.app")}


def _active(m: TenantMetrics, metric: str, existing: frozenset[str]) -> int:
    """How many of those that there are were used in the last 24 hours."""
    return len(existing & m.values.by(metric, "lately").keys())


def _per_hour(m: TenantMetrics, count: MetricValue) -> float:
    return round(count.lately / ((m.now - last_day_start(m.now)) / timedelta(hours=1)), 2)


def _cents(micro: float) -> float:
    return round(micro / MICRO_PER_CENT, 4)
