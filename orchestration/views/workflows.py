"""/api/v1/workflows: definitions, their versions, and starts of runs (seed 000 §2, seed 004's execute)."""

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from config.errors import IdempotencyConflict, WorkflowInvalid, WorkflowNotFound
from config.http.api_request import ApiRequest
from config.http.viewsets import ResourceViewSet, body_object
from governance.policies.evaluation import PolicyDenied
from orchestration.models import Mode, Run, Workflow, WorkflowVersion
from orchestration.runs.commands import start_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.serializers.runs import RunSerializer
from orchestration.serializers.workflows import (
    RunStartRequest,
    StartedWorkflowSerializer,
    WorkflowDetailSerializer,
    WorkflowSerializer,
    WorkflowVersionSerializer,
    start_fields,
)
from orchestration.workflows.definition.workflow_versions import (
    create_workflow,
    current_version,
    update_workflow,
)


class WorkflowViewSet(ResourceViewSet):
    """Workflows: every save of a definition is checked as a whole and makes a version, which runs are pinned to."""

    model, not_found = Workflow, WorkflowNotFound
    serializer_class = WorkflowSerializer
    roles = {"read": Role.USER, "write": Role.DEVELOPER, "runs": Role.USER, "execute": Role.USER}
    free_body = frozenset({"execute"})
    errors = {
        **dict.fromkeys(("create", "update", "partial_update"), (WorkflowInvalid,)),
        **dict.fromkeys(("runs", "execute"), (PolicyDenied, IdempotencyConflict)),
    }

    @extend_schema(responses=WorkflowDetailSerializer)
    def retrieve(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The workflow, with what is doubtful about its definition in `warnings`."""
        return self._answer(self.get_object())

    @extend_schema(responses={201: WorkflowDetailSerializer})
    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the new workflow."""
        fields = self.valid().validated_data
        return self._answer(create_workflow(request.tenant.pk, fields, request.user.pk), 201)

    @extend_schema(responses=WorkflowDetailSerializer)
    def update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The workflow with the body's fields changed; runs under way keep the version that they started with."""
        workflow = self.get_object()
        fields = self.valid(instance=workflow, partial=True).validated_data
        return self._answer(update_workflow(request.tenant.pk, workflow.pk, fields, request.user.pk))

    @extend_schema(responses=WorkflowDetailSerializer)
    def partial_update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The same as update."""
        return self.update(request, *args, **kwargs)

    def destroy(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Delete the workflow; its versions stay for the runs that rest on them."""
        return super().destroy(request, *args, **kwargs)

    @extend_schema(summary="List a workflow's versions", responses=WorkflowVersionSerializer(many=True))
    @action(detail=True)
    def versions(self, request: ApiRequest, pk: str) -> Response:
        """The versions of the workflow, the newest first."""
        rows = WorkflowVersion.objects.for_tenant(request.tenant).filter(workflow_id=self.get_object().pk)
        page = self.paginate_queryset(rows.order_by("-revision"))
        return self.get_paginated_response(WorkflowVersionSerializer(page, many=True).data)

    @extend_schema(
        operation_id="workflows_start_run",
        summary="Start a run of a workflow",
        parameters=[IDEMPOTENCY_KEY],
        request=RunStartRequest,
        responses={201: RunSerializer},
    )
    @action(detail=True, methods=["post"])
    def runs(self, request: ApiRequest, pk: str) -> Response:
        """Start a run; the answer comes at once."""
        run, created = self._start(pk, start_fields(body_object(request)))
        return answer(RunSerializer.render(run) if created else RunSerializer.render_start(run), created)

    @extend_schema(
        summary="Start a run that acts at once",
        parameters=[IDEMPOTENCY_KEY],
        request=OpenApiTypes.OBJECT,
        responses={201: StartedWorkflowSerializer},
    )
    @action(detail=True, methods=["post"])
    def execute(self, request: ApiRequest, pk: str) -> Response:
        """Start a run that acts, whose input is the body."""
        run, created = self._start(pk, {"input": body_object(request), "mode": Mode.AUTO}, field="")
        return answer(StartedWorkflowSerializer.render(run), created)

    def _start(self, pk: str, fields: dict[str, Any], field: str = "input.") -> tuple[Run, bool]:
        """(the run, whether it is new): one SELECT and one INSERT. `field` is where the body has the input."""
        request = self.request
        current = current_version(request.tenant.pk, pk)
        return start_run(
            tenant_id=request.tenant.pk,
            kind="workflow",
            subject_id=current.workflow_id,
            subject_version=current.revision,
            rules_stamp=current.rules_stamp,
            coerce=current.fit(field),
            **caller_fields(request),
            **idempotency(request),
            **fields,
        )

    def _answer(self, workflow: Workflow, status: int = 200) -> Response:
        return Response(WorkflowDetailSerializer(workflow).data, status=status)
