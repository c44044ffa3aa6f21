"""Django's admin for policies, what they decided, and budgets."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from governance.models import AuditEntry, Budget, BudgetLimit, Policy, PolicyDecision


class ReadOnlyAdmin(admin.ModelAdmin):
    """Shows rows; what changes them is the API, which checks and records what it does."""

    show_full_result_count = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """The rows of all tenants: the admin is the platform operator's."""
        manager = getattr(self.model, "all_tenants", None) or self.model._default_manager
        return manager.get_queryset()

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No."""
        return False


@admin.register(Policy)
class PolicyAdmin(ReadOnlyAdmin):
    """Policies; they are written over REST, which checks them."""

    list_display = ["name", "tenant", "scope", "scope_id", "priority", "enabled", "shadow", "version"]
    list_filter = ["scope", "enabled", "shadow"]
    search_fields = ["name", "scope_id"]


@admin.register(PolicyDecision)
class PolicyDecisionAdmin(ReadOnlyAdmin):
    """What policies decided, and why."""

    list_display = ["created_at", "tenant", "action", "result", "explanation"]
    list_filter = ["action", "result"]
    search_fields = ["run_id", "explanation"]


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    """Who did what."""

    list_display = ["created_at", "tenant", "action", "resource_type", "resource_id", "user_id", "ip_address"]
    list_filter = ["action", "resource_type"]
    search_fields = ["resource_id", "user_id"]


@admin.register(BudgetLimit)
class BudgetLimitAdmin(ReadOnlyAdmin):
    """Standing limits."""

    list_display = ["scope", "scope_id", "period", "tenant", "cost_limit_micro", "calls_limit"]
    list_filter = ["scope", "period"]
    search_fields = ["scope_id"]


@admin.register(Budget)
class BudgetAdmin(ReadOnlyAdmin):
    """Limits and what is used of them."""

    list_display = ["scope", "scope_id", "tenant", "cost_limit_micro", "spent_micro", "held_micro", "calls_limit"]
    list_filter = ["scope"]
    search_fields = ["scope_id"]
