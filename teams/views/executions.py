"""/api/v1/executions: progress, results and logs of executions, and stopping them (seed 001)."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import has_role
from config.errors import ExecutionNotFound, ExecutionOver, Forbidden, Invalid
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.serializers import StatusMessageSerializer
from config.http.viewsets import ArrayPagination
from orchestration.models import FINAL, NEWEST_FIRST
from orchestration.runs.commands import cancel_run
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import actor_of
from teams.execution.execution_log import LEVELS, entries
from teams.execution.results import result_of
from teams.execution.state import State, events_of, state_of
from teams.models import KIND, TeamExecution
from teams.paging import Executions
from teams.serializers.executions import (
    ExecutionQuery,
    ExecutionResultSerializer,
    ExecutionSerializer,
    ExecutionStatusSerializer,
    LogEntrySerializer,
)

LOG_FILTERS = [
    OpenApiParameter("log_types", str, description="Levels: info, warning, error; repeated, or with commas."),
    OpenApiParameter("agent_id", str),
]


class ExecutionViewSet(OneRun):
    """Executions of the tenant's teams."""

    model, not_found, kind = TeamExecution, ExecutionNotFound, KIND
    noun = "execution"
    errors = {"stop": (ExecutionOver,)}
    pagination_class = Executions

    def get_queryset(self) -> Any:
        """The tenant's runs of this kind."""
        return super().get_queryset().filter(kind=KIND)

    def order_rows(self, rows: Any) -> Any:
        """Newest first."""
        return rows.order_by(*NEWEST_FIRST)

    @extend_schema(responses=ExecutionSerializer(many=True), parameters=[ExecutionQuery])
    def list(self, request: ApiRequest) -> Response:
        """The executions, newest first, of all teams or of one."""
        rows = self.get_queryset()
        if team_id := query_of(ExecutionQuery, request)["team_id"]:
            rows = rows.filter(subject_id=team_id)
        return self.get_paginated_response(ExecutionSerializer.render_all(self.paginate_queryset(rows)))

    @extend_schema(summary="Get an execution's progress", responses=ExecutionStatusSerializer)
    @action(detail=True, methods=["get"])
    def status(self, request: ApiRequest, pk: str) -> Response:
        """Progress, and who works."""
        return Response(ExecutionStatusSerializer.render(state_of(self.get_object())))

    @extend_schema(summary="Get an execution's result", responses=ExecutionResultSerializer)
    @action(detail=True, methods=["get"])
    def result(self, request: ApiRequest, pk: str) -> Response:
        """The result so far; cost and tokens by agent."""
        return Response(ExecutionResultSerializer.render(result_of(self.get_object())))

    @extend_schema(summary="Stop an execution", request=None, responses=StatusMessageSerializer)
    @action(detail=True, methods=["post"])
    def stop(self, request: ApiRequest, pk: str) -> Response:
        """Cancel the execution and all that its agents do; 400 when it is over."""
        run = self.get_object()
        if run.created_by != request.user.pk and not has_role(request, Role.DEVELOPER):
            raise Forbidden("Only who started an execution, a developer or an admin may stop it.")
        if run.status in FINAL:
            raise ExecutionOver(f"The execution is {run.status}; only one that is under way can be stopped.")
        cancel_run(run.id, run.tenant_id, actor_of(request))
        message = f"Execution {run.id} stopped"
        return Response(StatusMessageSerializer.render({"status": "success", "message": message}))

    @extend_schema(summary="List an execution's log", responses=LogEntrySerializer(many=True), parameters=LOG_FILTERS)
    @action(detail=True, methods=["get"], pagination_class=ArrayPagination)
    def logs(self, request: ApiRequest, pk: str) -> Response:
        """The log of the execution, the oldest first."""
        run, query = self.get_object(), request.query_params
        levels = {part for text in query.getlist("log_types") for part in text.lower().split(",") if part}
        if unknown := levels - set(LEVELS):
            raise Invalid({"log_types": [f"Knows {', '.join(LEVELS)}, not {', '.join(sorted(unknown))}."]})
        rows = entries(State.of(run), list(events_of(run)))
        if levels:
            rows = [row for row in rows if row["level"] in levels]
        if agent_id := query.get("agent_id"):
            rows = [row for row in rows if row["agent_id"] == agent_id]
        return self.get_paginated_response(LogEntrySerializer.render_all(self.paginate_queryset(rows)))
