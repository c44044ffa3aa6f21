"""The operator's view of the engine: workflows, and runs with their steps and events, to look at and not to touch."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from orchestration.models import App, Approval, Engine, Run, Workflow, WorkflowVersion


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


@admin.register(Workflow)
class WorkflowAdmin(ReadOnlyAdmin):
    """Workflows of all tenants."""

    list_display = ("name", "tenant_id", "type", "revision", "updated_at")
    list_filter = ("type",)
    search_fields = ("=id", "name", "=tenant__id")
    ordering = ("-created_at",)


@admin.register(WorkflowVersion)
class WorkflowVersionAdmin(ReadOnlyAdmin):
    """What workflows said at each save."""

    list_display = ("workflow_id", "revision", "tenant_id", "created_at")
    search_fields = ("=workflow_id",)
    ordering = ("-created_at",)


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    """Runs of all tenants."""

    list_display = ("id", "kind", "tenant_id", "subject_id", "status", "failure_reason", "mode", "created_at")
    list_filter = ("status", "kind", "mode")
    search_fields = ("=id", "=subject_id", "=tenant__id")
    ordering = ("-id",)


@admin.register(App)
class AppAdmin(ReadOnlyAdmin):
    """Apps of all tenants."""

    list_display = ("key", "name", "tenant_id", "visibility", "updated_at")
    search_fields = ("key", "name")


@admin.register(Approval)
class ApprovalAdmin(ReadOnlyAdmin):
    """Questions that runs asked people."""

    list_display = ("run_id", "node_id", "tenant_id", "role", "approved", "created_at", "decided_at")
    list_filter = ("approved",)
    ordering = ("-created_at",)


@admin.register(Engine)
class EngineAdmin(ReadOnlyAdmin):
    """The engines that are alive, or were a moment ago."""

    list_display = ("owner", "host", "pid", "running", "slots", "draining", "lease_until")
    ordering = ("owner",)
