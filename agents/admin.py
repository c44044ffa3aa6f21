"""Agents and tools in the operator's admin."""

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from agents.models import Agent, AgentJob, CodeTask, Conversation, ConversationTurn, Job, Tool
from governance.admin import ReadOnlyAdmin


class KeyedAdmin(admin.ModelAdmin):
    """Rows of all tenants, found by id and name."""

    list_filter = ("tenant",)
    search_fields = ("key", "name")
    readonly_fields = ("created_by", "created_at", "updated_at")


@admin.register(Agent)
class AgentAdmin(KeyedAdmin):
    """Agents."""

    list_display = ("key", "name", "tenant", "is_active", "updated_at")


@admin.register(Tool)
class ToolAdmin(KeyedAdmin):
    """Tools; their config may hold credentials, so it is not shown."""

    list_display = ("key", "name", "tenant", "handler_type", "risk_level", "updated_at")
    exclude = ("handler_config", "sealed")


class TurnInline(admin.TabularInline):
    """The turns of a conversation."""

    model = ConversationTurn
    fields = readonly_fields = ("number", "run_id")
    ordering = ("number",)
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Of all tenants: the admin is the platform operator's."""
        return ConversationTurn.all_tenants.order_by("number")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """No."""
        return False


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations of all tenants; their messages are in their runs."""

    list_display = ("key", "title", "tenant_id", "agent_key", "updated_at")
    search_fields = ("key", "title")
    inlines = (TurnInline,)


class FaceAdmin(ReadOnlyAdmin):
    """Runs of one kind, of all tenants; the whole run is under Runs."""

    kind = ""
    ordering = ("-id",)
    list_filter = ("status",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Those of the kind."""
        return super().get_queryset(request).filter(kind=self.kind)


@admin.register(Job)
class JobAdmin(FaceAdmin):
    """Agent jobs."""

    kind = "agent_job"
    list_display = ("id", "subject_id", "related", "tenant_id", "status", "failure_reason", "created_at", "finished_at")
    search_fields = ("=id", "=subject_id", "=tenant__id", "=idempotency_key")

    @admin.display(description="about")
    def related(self, run: Job) -> str:
        """What the job is about."""
        row = AgentJob.all_tenants.filter(run_id=run.pk).first()
        return str(row) if row and row.related_type else "–"


@admin.register(CodeTask)
class CodeTaskAdmin(FaceAdmin):
    """Code tasks."""

    kind = "task"
    list_display = ("id", "objective", "tenant_id", "status", "failure_reason", "created_at", "finished_at")
    search_fields = ("=id", "=tenant__id", "input__objective")

    @admin.display(description="objective")
    def objective(self, run: CodeTask) -> str:
        """How the objective begins."""
        return str(run.input.get("objective", ""))[:100]
