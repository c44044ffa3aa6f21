"""A tenant's metrics in the two JSON forms of seed 000 §10."""

from config.http.fields import iso
from config.values.json_types import JsonObject
from observability.metrics import sections
from observability.metrics.tenant_metrics import TenantMetrics

SECTIONS = {
    "runs": sections.runs,
    "llm": sections.llm,
    "tools": sections.tools,
    "policies": sections.policies,
    "memory": sections.memory,
    "errors": sections.errors,
    "performance": sections.performance,
    "budgets": sections.budgets,
    "rate_limiting": sections.requests,
    "agents": sections.agents,
    "workflows": sections.workflows,
    "apps": sections.apps,
}


def enhanced_json(m: TenantMetrics) -> JsonObject:
    """The enhanced form."""
    return {"timestamp": iso(m.now), **{section: section_json(m) for section, section_json in SECTIONS.items()}}


LEGACY = {
    "runs": "total by_status completed_today failed_today",
    "llm": "calls_total calls_today tokens_total tokens_today cost_cents_total cost_cents_today by_provider",
    "tools": "calls_total calls_today by_tool",
    "policies": "evaluations_total evaluations_today denials_total denials_today approvals_total approvals_today",
    "memory": "items_total operations_today",
    "errors": "total today by_type",
    "performance": "avg_run_duration_ms avg_step_duration_ms",
}


def legacy_json(m: TenantMetrics) -> JsonObject:
    """The older form: some of the same keys; memory.operations_today is their sum."""
    whole = enhanced_json(m)
    parts = {section: {key: whole[section][key] for key in keys.split()} for section, keys in LEGACY.items()}
    parts["memory"]["operations_today"] = sum(whole["memory"]["operations_today"].values())
    return {"timestamp": whole["timestamp"], **parts}
