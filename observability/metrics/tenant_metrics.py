"""All that a tenant's metrics are made of: the values of its metrics, and the number of its memories, agents, workflows
and apps.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q

from agents.models import Agent
from memory.models import MemoryEntry
from observability.metrics.metric_values import MetricValues, read_metrics
from orchestration.models import App, Workflow


@dataclass(frozen=True)
class TenantMetrics:
    """The metrics of some tenants at one moment."""

    now: datetime
    values: MetricValues
    memories: Counter[tuple[str, str]]  # (type, owner_type) → how many
    agents: frozenset[str]  # those that there are
    workflows: frozenset[str]
    apps: frozenset[str]


def read_tenant_metrics(tenants: list[str], now: datetime) -> TenantMetrics:
    """The metrics of these tenants."""
    return TenantMetrics(
        now,
        read_metrics(tenants, now),
        _memories(tenants, now),
        *(_names(model, name, tenants) for model, name in ((Agent, "key"), (Workflow, "pk"), (App, "key"))),
    )


def _names(model: Any, name: str, tenants: list[str]) -> frozenset[str]:
    return frozenset(str(value) for value in _rows(model, tenants).order_by().values_list(name, flat=True))


def _rows(model: Any, tenants: list[str]) -> Any:
    return model.all_tenants.filter(tenant_id__in=tenants)


def _memories(tenants: list[str], now: datetime) -> Counter[tuple[str, str]]:
    rows = _rows(MemoryEntry, tenants).filter(Q(expires_at=None) | Q(expires_at__gt=now)).order_by()
    counts = rows.values_list("type", "owner_type").annotate(n=models.Count("pk"))
    return Counter({(kind, owner): n for kind, owner, n in counts})
