"""Agents and tools in the operator's admin."""

from django.contrib import admin

from agents.models import Agent, Tool


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
    exclude = ("handler_config",)
