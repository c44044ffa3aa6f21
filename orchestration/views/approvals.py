"""/api/v1/approvals: what runs ask people, and the decisions."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from config.errors import Conflict
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import PagePagination, TenantViewSet
from orchestration.models import FINAL, Approval
from orchestration.models.visibility import visible_to
from orchestration.runs.decisions import ApprovalNotFound, Verdict, decide_approval
from orchestration.serializers.approvals import ApprovalSerializer
from orchestration.serializers.requests import ApprovalInput, ApprovalQuery
from orchestration.views.runs import actor_of


class ApprovalViewSet(TenantViewSet):
    """Approvals: every member sees them; each says who may decide."""

    model, not_found = Approval, ApprovalNotFound
    pagination_class = PagePagination
    errors = {"decide": (Conflict,)}

    def get_queryset(self) -> QuerySet[Any]:
        """The questions of the tenant's runs that the caller may see."""
        rows = super().get_queryset().select_related("run")
        return rows.filter(visible_to(self.request.caller_id, "run__"))

    @extend_schema(parameters=[ApprovalQuery], responses=ApprovalSerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """?filter=pending (the default): what waits for a decision; mine: of runs that the caller started; all."""
        query, rows = query_of(ApprovalQuery, request), self.get_queryset()
        if query["filter"] == "pending":
            rows = rows.filter(approved__isnull=True).exclude(run__status__in=FINAL)
            rows = rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        elif query["filter"] == "mine":
            rows = rows.filter(run__created_by=request.user.pk)
        if "run_id" in query:
            rows = rows.filter(run_id=query["run_id"])
        return self.get_paginated_response(ApprovalSerializer.render_all(self.paginate_queryset(rows)))

    @extend_schema(responses=ApprovalSerializer)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """The call or question, and the decision once there is one."""
        return Response(ApprovalSerializer.render(self.get_object()))

    @extend_schema(summary="Approve or reject", request=ApprovalInput, responses=ApprovalSerializer)
    @action(detail=True, methods=["post"])
    def decide(self, request: ApiRequest, pk: str) -> Response:
        """Say yes or no, once; with `arguments` a yes is to that call instead."""
        approval = self.get_object()
        verdict = Verdict(**self.valid(ApprovalInput).validated_data)
        decide_approval(approval.pk, approval.tenant_id, actor_of(request), verdict)
        return Response(ApprovalSerializer.render(self.get_object()))
