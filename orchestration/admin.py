"""The operator's view of the engine: workflows, and runs with their steps and events, to look at and not to touch."""

from django.contrib import admin

from governance.admin import ReadOnlyAdmin
from orchestration.models import App, Approval, Engine, Run, Workflow, WorkflowVersion


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
