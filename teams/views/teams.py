"""/api/v1/teams: teams, and starting executions of them (seed 001)."""

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from config.errors import Conflict, IdempotencyConflict, Invalid, TeamNotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.serializers import StatusMessageSerializer
from config.http.viewsets import ResourceViewSet
from governance.policies.evaluation import PolicyDenied
from orchestration.runs.commands import start_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.serializers.workflows import LIMITS, start_fields
from teams.execution import keys
from teams.models import KIND, Team
from teams.paging import TeamPages
from teams.serializers.executions import ExecuteRequest, ExecutionSerializer
from teams.serializers.teams import TeamQuery, TeamSerializer


class TeamViewSet(ResourceViewSet):
    """Teams of the tenant."""

    model, not_found = Team, TeamNotFound
    serializer_class = TeamSerializer
    pagination_class = TeamPages
    errors = {"execute": (Conflict, PolicyDenied, IdempotencyConflict)}
    roles = {"read": Role.USER, "write": Role.DEVELOPER, "execute": Role.USER}

    def filter_queryset(self, queryset: Any) -> Any:
        """In a list those that the query asks for, by default the active ones."""
        rows = super().filter_queryset(queryset)
        if self.action != "list":
            return rows
        query = query_of(TeamQuery, self.request)
        if query["name_filter"]:
            rows = rows.filter(name__icontains=query["name_filter"])
        return rows.filter(is_active=True) if query["active_only"] else rows

    @extend_schema(parameters=[TeamQuery], responses=TeamSerializer(many=True))
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The teams."""
        return super().list(request, *args, **kwargs)

    @extend_schema(responses={200: TeamSerializer})
    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The new team, with status 200."""
        serializer = self.valid()
        serializer.save(tenant=request.tenant, created_by=request.user.pk)
        return Response(serializer.data)

    @extend_schema(responses={200: StatusMessageSerializer})
    def destroy(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """Delete the team; executions under way go on with what they were started with."""
        team = self.get_object()
        message = f"Team {team.pk} deleted"
        team.delete()
        return Response(StatusMessageSerializer.render({"status": "success", "message": message}))

    @extend_schema(
        summary="Start an execution of a team",
        parameters=[IDEMPOTENCY_KEY],
        request=ExecuteRequest,
        responses={200: ExecutionSerializer},
    )
    @action(detail=True, methods=["post"])
    def execute(self, request: ApiRequest, pk: str) -> Response:
        """Start an execution; the answer comes at once."""
        team, body = self.get_object(), self.valid(ExecuteRequest).validated_data
        if body.get("team_id") not in (None, str(team.pk)):
            raise Invalid({"team_id": [f"Must be {team.pk}, the id of the path, or be left out."]})
        if not team.is_active:
            raise Conflict(f"The team {team.pk} is not active; set its is_active to true.")
        fields = start_fields({"mode": body["mode"]} | {name: body.get(name) for name in LIMITS})
        fields["input"] = {
            "team_id": str(team.pk),
            "workflow_definition": team.workflow_definition,
            "team_config": team.team_config,
            **{name: body[name] for name in ("initial_prompt", "context", "execution_config")},
        }
        run, created = start_run(
            tenant_id=request.tenant.pk,
            kind=KIND,
            subject_id=str(team.pk),
            **caller_fields(request),
            **idempotency(request),
            **fields,
        )
        if created:
            keys.store_keys(team, run.pk, body.get("user_api_keys") or {})
        return answer(ExecutionSerializer.render(run), created, status=200)
