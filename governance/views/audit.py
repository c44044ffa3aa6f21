"""/api/v1/audit: the audit log, to read and to export (seed 000 §11)."""

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from config.http.api_request import ApiRequest
from config.http.paging import MAX_LIMIT, number, page_of
from config.http.query_parameters import query_of
from config.http.viewsets import TenantViewSet
from config.values.foreign_json import write_json
from governance.models import AuditEntry
from governance.serializers.audit import AuditEntrySerializer, AuditLogSerializer, AuditQuery

PAGE = [OpenApiParameter("limit", int), OpenApiParameter("offset", int)]
MAX_EXPORT = 100_000


class AuditViewSet(TenantViewSet):
    """The tenant's audit log."""

    model = AuditEntry
    roles = {"read": Role.DEVELOPER, "write": Role.DEVELOPER}

    def _rows(self) -> QuerySet[Any]:
        """What the filters leave, the newest first."""
        query = query_of(AuditQuery, self.request)
        for name, lookup in (("start_date", "created_at__gte"), ("end_date", "created_at__lte")):
            if name in query:
                query[lookup] = query.pop(name)
        return self.get_queryset().filter(**query).order_by("-pk")

    @extend_schema(summary="List audit entries", parameters=[AuditQuery, *PAGE], responses=AuditLogSerializer)
    @action(detail=False)
    def logs(self, request: ApiRequest) -> Response:
        """A page of the log."""
        rows, limit = self._rows(), number(request, "limit", 100, 1, MAX_LIMIT)
        offset = number(request, "offset", 0, 0, 10**9)
        page, total = page_of(rows, offset, limit)
        body = {"logs": page, "total": total.value, "limit": limit, "offset": offset, "totalIsExact": total.is_exact}
        return Response(AuditLogSerializer.render(body))

    @extend_schema(
        summary="Export the audit log",
        parameters=[AuditQuery],
        responses={(200, "application/x-ndjson"): OpenApiTypes.BINARY},
    )
    @action(detail=False)
    def export(self, request: ApiRequest) -> HttpResponse:
        """The log as JSON lines, the oldest first: at most the 100,000 newest of what the filters leave."""

        def lines() -> Iterator[bytes]:
            for entry in reversed(self._rows()[:MAX_EXPORT]):
                yield write_json(AuditEntrySerializer.render(entry)) + b"\n"

        response = HttpResponse(b"".join(lines()), content_type="application/x-ndjson")
        response["Content-Disposition"] = 'attachment; filename="audit.jsonl"'
        return response
