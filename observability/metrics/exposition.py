"""A tenant's metrics in Prometheus' text format (seed 000 §10). A total and its parts never share a name: who sums up
the samples of one name counts nothing twice.
"""

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric

from config.values.json_types import JsonObject
from observability.metrics.sections import PERCENTILES
from orchestration.models import FINAL

ALL = "all"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MetricsJson = JsonObject

# name, what it is, the enhanced form's section and key, and label → key of its parts, each a series of its own
SERIES: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    ("runs_total", "Total number of runs", "runs", "total", {"status": "ended_by_status"}),
    ("runs_now", "Runs that are not over", "runs", "now", {"status": "now_by_status"}),
    ("runs_throughput_per_hour", "Runs per hour in the last 24 hours", "runs", "throughput_per_hour", {}),
    ("runs_success_rate", "Completed runs among those completed or failed", "runs", "success_rate", {}),
    ("llm_calls_total", "Model calls", "llm", "calls_total", {"provider": "by_provider", "model": "by_model"}),
    ("llm_tokens_total", "Tokens of model calls", "llm", "tokens_total", {}),
    ("llm_tokens_prompt_total", "Tokens of prompts", "llm", "tokens_prompt_total", {}),
    ("llm_tokens_completion_total", "Tokens of answers", "llm", "tokens_completion_total", {}),
    ("llm_cost_cents_total", "Cost of model calls in US cents", "llm", "cost_cents_total", {}),
    ("llm_error_rate", "Failed model calls among all", "llm", "error_rate", {}),
    ("tool_calls_total", "Tool calls", "tools", "calls_total", {"tool": "by_tool", "risk_level": "by_risk_level"}),
    ("tool_avg_duration_ms", "Average duration of tool calls in milliseconds", "tools", "avg_duration_ms", {}),
    ("tool_error_rate", "Failed tool calls among all", "tools", "error_rate", {}),
    ("policy_evaluations_total", "Policy decisions", "policies", "evaluations_total", {"scope": "by_scope"}),
    ("policy_denial_rate", "Denials among policy decisions", "policies", "denial_rate", {}),
    ("budget_exceeded_total", "Budgets exceeded", "budgets", "budget_exceeded_total", {"type": "by_type"}),
    ("avg_cost_per_run_cents", "Average cost of completed runs in US cents", "budgets", "avg_cost_per_run_cents", {}),
    ("memory_items_total", "Memories there are", "memory", "items_total", {"type": "items_by_type"}),
    ("errors_total", "Runs, tool calls and model calls that failed", "errors", "total", {"type": "by_type"}),
    ("error_rate", "Failed runs, tool calls and model calls among all", "errors", "error_rate", {}),
)
SHRINK = ("memory_items_total",)  # totals that are no counters
# name, what it is, section; the keys are avg_{name} and {name with its percentile}
DURATIONS = (
    ("llm_latency_ms", "Model call latency in milliseconds", "llm", "latency"),
    ("run_duration_ms", "Duration of runs in milliseconds", "performance", "run_duration"),
    ("step_duration_ms", "Duration of steps in milliseconds", "performance", "step_duration"),
)


def exposition(metrics: MetricsJson, tenant: str) -> bytes:
    """The enhanced metrics as Prometheus' text; every sample is labelled with the tenant."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(TenantCollector(metrics, tenant))  # type: ignore[arg-type]
    return generate_latest(registry)


class TenantCollector:
    def __init__(self, metrics: MetricsJson, tenant: str) -> None:
        # A counter must not fall, as the number of those does that are running.
        final_counts = {status: n for status, n in metrics["runs"]["by_status"].items() if status in FINAL}
        open_counts = {status: n for status, n in metrics["runs"]["by_status"].items() if status not in FINAL}
        runs = metrics["runs"] | {
            "ended_by_status": final_counts,
            "now_by_status": open_counts,
            "now": sum(open_counts.values()),
        }
        self.metrics, self.tenant_label = metrics | {"runs": runs}, {"tenant": tenant}

    def collect(self) -> list[Metric]:
        """The families."""
        series = [family for one in SERIES for family in self._series(*one)]
        return series + [self._duration(*one) for one in DURATIONS]

    def _series(self, name: str, help_text: str, section: str, key: str, parts: dict[str, str]) -> list[Metric]:
        """The total, and each way in which it falls into parts."""
        grows = name.endswith("_total") and name not in SHRINK
        base = name.removesuffix("_total")
        families = [_family(name, help_text, grows, [(self.tenant_label, self.metrics[section][key])])]
        for label, breakdown in parts.items():
            samples = [(self.tenant_label | {label: value}, n) for value, n in self.metrics[section][breakdown].items()]
            part_name = f"{base}_by_{label}_total" if grows else f"{base}_by_{label}"
            families.append(_family(part_name, f"{help_text}, by {label.replace('_', ' ')}", grows, samples))
        return families

    def _duration(self, name: str, help_text: str, section: str, key: str) -> Metric:
        family, metrics = Metric(name, help_text, "gauge"), self.metrics[section]
        values = {"avg": metrics[f"avg_{key}_ms"]} | {p: metrics[f"{key}_{p}_ms"] for p in PERCENTILES}
        for p, value in values.items():
            family.add_sample(name, self.tenant_label | {"percentile": p}, value)
        return family


def _family(name: str, help_text: str, grows: bool, samples: list[tuple[dict[str, str], float]]) -> Metric:
    kind = "counter" if grows else "gauge"
    family = Metric(name.removesuffix("_total") if grows else name, help_text, kind)
    for labels, value in samples:
        family.add_sample(name, labels, value)
    return family
