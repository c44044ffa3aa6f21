"""/api/v1/executions: how executions of teams stand, what they came to, their logs, and stopping them (seed 001)."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import has_role
from config.errors import ExecutionNotFound, ExecutionOver, Forbidden, Invalid
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination
from orchestration.models import FINAL, NEWEST_FIRST
from orchestration.runs.commands import cancel_run
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import actor_of
from teams.execution.execution_log import LEVELS, entries
from teams.execution.results import result_json
from teams.execution.state import State, events_of, state_of
from teams.models import KIND, TeamExecution
from teams.paging import Executions
from teams.schemas import DoneShape, LogShape, ResultShape, StatusShape
from teams.serializers import ExecutionQuery, ExecutionShape, execution_json

LOG_FILTERS = [
    OpenApiParameter("log_types", str, description="Levels: info, warning, error; repeated, or with commas."),
    OpenApiParameter("agent_id", str),
]


class ExecutionViewSet(OneRun):
    """Executions of the tenant's teams."""

    model, not_found, kind = TeamExecution, ExecutionNotFound, KIND
    pagination_class = Executions

    def get_queryset(self) -> Any:
        """The tenant's runs of this kind."""
        return super().get_queryset().filter(kind=KIND)

    def ordered(self, rows: Any) -> Any:
        """Newest first."""
        return rows.order_by(*NEWEST_FIRST)

    @extend_schema(responses=ExecutionShape(many=True), parameters=[ExecutionQuery])
    def list(self, request: ApiRequest) -> Response:
        """The executions, newest first, of all teams or of one."""
        rows = self.get_queryset()
        if team_id := query_of(ExecutionQuery, request)["team_id"]:
            rows = rows.filter(subject_id=team_id)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([execution_json(run) for run in page or ()])

    @extend_schema(responses=StatusShape)
    @action(detail=True, methods=["get"])
    def status(self, request: ApiRequest, pk: str) -> Response:
        """Progress, and who works."""
        return Response(state_of(self.get_object()).status_json())

    @extend_schema(responses=ResultShape)
    @action(detail=True, methods=["get"])
    def result(self, request: ApiRequest, pk: str) -> Response:
        """What the execution came to, or has so far; its cost and tokens by agent."""
        return Response(result_json(self.get_object()))

    @extend_schema(request=None, responses=DoneShape)
    @action(detail=True, methods=["post"])
    def stop(self, request: ApiRequest, pk: str) -> Response:
        """Cancel the execution and all that its agents do; 400 when it is over."""
        run = self.get_object()
        if run.created_by != request.user.pk and not has_role(request, Role.DEVELOPER):
            raise Forbidden("Only who started an execution, a developer or an admin may stop it.")
        if run.status in FINAL:
            raise ExecutionOver(f"The execution is {run.status}; only one that is under way can be stopped.")
        cancel_run(run.id, run.tenant_id, actor_of(request))
        return Response({"status": "success", "message": f"Execution {run.id} stopped"})

    @extend_schema(responses=LogShape(many=True), parameters=LOG_FILTERS)
    @action(detail=True, methods=["get"], pagination_class=ArrayPagination)
    def logs(self, request: ApiRequest, pk: str) -> Response:
        """The log of the execution, the oldest first."""
        run, query = self.get_object(), request.query_params
        levels = {part for given in query.getlist("log_types") for part in given.lower().split(",") if part}
        if unknown := levels - set(LEVELS):
            raise Invalid({"log_types": [f"Knows {', '.join(LEVELS)}, not {', '.join(sorted(unknown))}."]})
        rows = entries(State.of(run), list(events_of(run)))
        if levels:
            rows = [row for row in rows if row["level"] in levels]
        if agent_id := query.get("agent_id"):
            rows = [row for row in rows if row["agent_id"] == agent_id]
        return self.get_paginated_response(self.paginate_queryset(rows))
