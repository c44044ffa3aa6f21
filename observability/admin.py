"""Alert rules and alerts in the operator's admin; channels hold tokens and keys, so they are not shown."""

from django.contrib import admin

from governance.admin import ReadOnlyAdmin
from observability.models import Alert, AlertConfig


@admin.register(AlertConfig)
class AlertConfigAdmin(ReadOnlyAdmin):
    """Alert rules of all tenants."""

    list_display = ("name", "rule_type", "rule_config", "tenant_id", "enabled", "updated_at")
    list_filter = ("rule_type", "enabled")
    search_fields = ("name", "=tenant__id")
    exclude = ("sealed",)


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Alerts of all tenants."""

    list_display = ("number", "name", "rule_type", "tenant_id", "triggered_at", "resolved_at")
    list_filter = ("rule_type", ("resolved_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "=tenant__id")
    ordering = ("-triggered_at",)
    exclude = ("sealed",)
