"""/api/v1/metrics (seed 000 §10)."""

import logging
from contextlib import suppress

from django.db import DatabaseError
from django.http import HttpResponse, HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.tenancy.tenant_model import everywhere
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import TenantViewSet
from config.rate_limits.request_counts import TrafficUnknown
from observability.metrics import rollups, tenant_metrics
from observability.metrics.exposition import ALL, CONTENT_TYPE, exposition
from observability.metrics.metrics_json import enhanced_json, legacy_json
from observability.models import Rollup
from observability.serializers.metrics import PROMETHEUS, TRUE, MetricsQuery, metrics_response

log = logging.getLogger(__name__)


class MetricsViewSet(TenantViewSet):
    """The metrics of a tenant."""

    model, pagination_class = Rollup, None

    def _one(self) -> bool:
        """An operator who names no tenant, in the query or the header, asks about all of them."""
        tenant_id = self.request.query_params.get("tenant_id") or self.request.headers.get("X-Tenant-ID")
        return bool(tenant_id) or not self.request.user.is_staff

    def _tenants(self) -> list[str]:
        if self._one():
            return [str(self.request.tenant.pk)]
        return rollups.all_tenants()

    @extend_schema(
        operation_id="metrics",
        summary="Get a tenant's metrics",
        parameters=[MetricsQuery],
        responses={(200, "application/json"): metrics_response(), (200, "text/plain"): OpenApiTypes.STR},
    )
    def list(self, request: ApiRequest) -> HttpResponseBase:
        """Runs, model calls, tools, policies, memory, errors, durations, budgets and requests, up to this moment."""
        query = query_of(MetricsQuery, request)
        with everywhere():  # the counts are of whatever tenant comes next
            tenants = self._tenants()
            with suppress(TrafficUnknown):  # the latest requests are missing while Redis is away
                rollups.count_requests(tenants)
            try:
                rollups.count()
            except DatabaseError:  # the earlier counts are good all the same
                log.exception("events cannot be counted")
            values = tenant_metrics.read_tenant_metrics(tenants, timezone.now())
        if query["format"] == PROMETHEUS:
            tenant = tenants[0] if self._one() else ALL
            return HttpResponse(exposition(enhanced_json(values), tenant), content_type=CONTENT_TYPE)
        form = enhanced_json if query["enhanced"].lower() in TRUE else legacy_json
        return Response(form(values))
