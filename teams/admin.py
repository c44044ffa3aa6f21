"""Teams in the operator's admin; executions are runs, and are listed there."""

from django.contrib import admin

from teams.models import Team


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    """Teams of all tenants, without their keys."""

    list_display = ("name", "tenant", "is_active", "updated_at")
    list_filter = ("tenant", "is_active")
    search_fields = ("name", "id")
    readonly_fields = ("created_by", "created_at", "updated_at")
    exclude = ("sealed",)
