"""/api/v1/alerts: rules, the check, and the alerts that fired (seed 000 §12)."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from config.errors import Conflict, NotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.serializers import MessageSerializer
from config.http.viewsets import ArrayPagination, PagePagination, ResourceViewSet, TenantViewSet
from config.values.json_types import JsonObject
from observability.alerts import channels, rule_evaluation
from observability.alerts.notifications import KIND
from observability.models import Alert, AlertConfig
from observability.serializers.alerts import (
    AlertConfigSerializer,
    AlertDetailSerializer,
    AlertQuery,
    AlertSerializer,
    CheckSerializer,
)
from orchestration.models import Run

ROLES = {"read": Role.DEVELOPER, "write": Role.DEVELOPER}


class AlertConfigNotFound(NotFound):
    """There is no such alert rule."""


class AlertNotFound(NotFound):
    """There is no such alert."""


class AlertConfigViewSet(ResourceViewSet):
    """Alert rules."""

    model, not_found = AlertConfig, AlertConfigNotFound
    serializer_class = AlertConfigSerializer
    pagination_class = ArrayPagination
    deleted_status = 204
    errors = {"create": (Conflict,)}
    roles = ROLES
    audit_hidden = frozenset({"channels"})

    def perform_create(self, serializer: Any) -> None:
        """Save the new rule for the caller's tenant."""
        if self.get_queryset().count() >= rule_evaluation.MAX_RULES:
            raise Conflict(f"There are {rule_evaluation.MAX_RULES} alert rules, which is the most; delete one first.")
        serializer.save(tenant_id=self.request.tenant.pk, created_by=self.request.user.pk)


class CheckViewSet(TenantViewSet):
    """The check, now."""

    model, roles = AlertConfig, ROLES
    audit_type = "alert"

    @extend_schema(summary="Check all alert rules now", request=None, responses=CheckSerializer)
    def check(self, request: ApiRequest) -> Response:
        """Compare every rule of the tenant with what was measured; it is done every five minutes anyhow."""
        alerts = rule_evaluation.check(request.tenant.pk)
        return Response(CheckSerializer.render({"message": "Alert check completed", "fired": alerts}))


class AlertViewSet(TenantViewSet):
    """Alerts that fired."""

    model, not_found = Alert, AlertNotFound
    pagination_class = PagePagination
    roles = ROLES

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The latest first."""
        return rows.order_by("-number")

    @extend_schema(parameters=[AlertQuery], responses=AlertSerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The alerts, the latest first; kept for 90 days."""
        query = query_of(AlertQuery, request)
        resolved, rows = query.pop("resolved"), self.get_queryset().filter(**query)
        if resolved is not None:
            rows = rows.filter(resolved_at__isnull=not resolved)
        return self.get_paginated_response(AlertSerializer.render_all(self.paginate_queryset(rows)))

    @extend_schema(responses=AlertDetailSerializer)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """The alert and its notifications."""
        alert = self.get_object()
        return Response(AlertDetailSerializer.render(vars(alert) | {"notifications": notifications(alert)}))

    @extend_schema(summary="Resolve an alert", request=None, responses=MessageSerializer)
    @action(detail=True, methods=["post"])
    def resolve(self, request: ApiRequest, pk: str) -> Response:
        """Say that it is over; one that is resolved stays as it is."""
        rule_evaluation.resolve(self.get_object(), request.user.pk)
        return Response(MessageSerializer.render({"message": "Alert resolved"}))


def notifications(alert: Alert) -> list[JsonObject]:
    """[{run_id, channel, action, status, error}] of the alert."""
    types = [channel["type"] for channel in channels.decrypt_channels(alert.sealed)]
    rows = Run.objects.for_tenant(alert.tenant_id).filter(kind=KIND, subject_id=str(alert.pk)).order_by("id")
    return [
        {
            "run_id": str(run.pk),
            "channel": types[run.input["channel"]],
            "action": run.input["action"],
            "status": run.status,
            "error": run.result.get("error") if isinstance(run.result, dict) else None,
        }
        for run in rows
    ]
