"""/api/v1/approvals: the questions that runs ask people, and their answers."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import PagePagination, TenantViewSet
from orchestration.models import FINAL, Approval
from orchestration.runs.decisions import ApprovalNotFound, Verdict, decide_approval
from orchestration.serializers.approvals import ApprovalShape, approval_json
from orchestration.serializers.requests import ApprovalInput, ApprovalQuery
from orchestration.views.runs import actor_of


class ApprovalViewSet(TenantViewSet):
    """Approvals: every member sees what is asked; who may decide is each question's own matter."""

    model, not_found = Approval, ApprovalNotFound
    pagination_class = PagePagination

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's; those of a conversation are its user's own."""
        rows = super().get_queryset().select_related("run")
        return rows.filter(~Q(run__kind="conversation") | Q(run__created_by=self.request.caller_id))

    @extend_schema(operation_id="approvals_list", parameters=[ApprovalQuery], responses=ApprovalShape(many=True))
    def list(self, request: ApiRequest) -> Response:
        """?filter=pending (the default): what waits for a decision; mine: of runs that the caller started; all."""
        asked, rows = query_of(ApprovalQuery, request), self.get_queryset()
        if asked["filter"] == "pending":
            rows = rows.filter(approved__isnull=True).exclude(run__status__in=FINAL)
            rows = rows.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
        elif asked["filter"] == "mine":
            rows = rows.filter(run__created_by=request.user.pk)
        if "run_id" in asked:
            rows = rows.filter(run_id=asked["run_id"])
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([approval_json(row) for row in page or ()])

    @extend_schema(operation_id="approvals_get", responses=ApprovalShape)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """One question."""
        return Response(approval_json(self.get_object()))

    @extend_schema(operation_id="approvals_decide", request=ApprovalInput, responses=ApprovalShape)
    @action(detail=True, methods=["post"])
    def decide(self, request: ApiRequest, pk: str) -> Response:
        """Say yes or no, once; with `arguments` a yes is to that call instead."""
        asked = self.get_object()
        told = self.valid(ApprovalInput).validated_data
        decide_approval(asked.pk, asked.tenant_id, actor_of(request), Verdict(**told))
        return Response(approval_json(self.get_object()))
