"""/api/v1/agents and conversations with them (seed 000 §5)."""

from dataclasses import asdict
from hashlib import sha256
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action

from accounts.models import Role
from accounts.tenancy.tenant_choice import choose_tenant
from agents.catalog.lookup import AgentSpec, built_in_agents, find_agent
from agents.conversations.program import KIND, NewTurn, start_turn
from agents.conversations.turn_stream import turn_stream
from agents.errors import AgentInactive
from agents.models import Agent
from agents.serializers.agents import AgentSerializer
from agents.serializers.conversations import TurnRequest
from agents.views.catalog import KeyedViewSet
from config.errors import AgentNotFound, Conflict, Invalid
from config.http.api_request import ApiRequest
from orchestration.models import Mode, Run
from orchestration.runs.idempotency import caller_fields, idempotency
from orchestration.serializers.workflows import start_fields
from orchestration.views.event_stream import event_stream

EVENT_STREAM = OpenApiResponse(
    OpenApiTypes.STR, description="text/event-stream: connected, text…, tool_call…, complete|error"
)
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID", str, OpenApiParameter.HEADER, description="The id of the last frame that was received."
)
RUN_ID = OpenApiParameter("run_id", str, required=True, description="The turn's run, from `connected`.")


class AgentViewSet(KeyedViewSet):
    """Agents: a tenant's own and the built-in ones."""

    model, not_found = Agent, AgentNotFound
    serializer_class = AgentSerializer
    roles = KeyedViewSet.roles | {"conversation": Role.USER}
    errors = {**KeyedViewSet.errors, "conversation": (AgentInactive, Conflict)}

    def built_in(self) -> list[Agent]:
        """The router and the condition evaluator."""
        return [_row(agent) for agent in built_in_agents()]

    @extend_schema(
        methods=["POST"], operation_id="agents_converse", summary="Send an agent a message", request=TurnRequest,
        parameters=[LAST_EVENT_ID],
        responses={(200, "text/event-stream"): EVENT_STREAM},
    )  # fmt: skip
    @extend_schema(
        methods=["GET"], operation_id="agents_follow_turn", summary="Follow a turn", parameters=[RUN_ID, LAST_EVENT_ID],
        responses={(200, "text/event-stream"): EVENT_STREAM},
    )  # fmt: skip
    @action(detail=True, methods=["get", "post"])
    def conversation(self, request: ApiRequest, id: str) -> HttpResponseBase:
        """POST: send the agent a message; its answer is streamed while the model writes it. The turn goes on when the
        client leaves; GET with its run_id (or the same POST with its Idempotency-Key) comes back to it, and POST
        /runs/{id}/cancel ends it.
        """
        if request.method == "GET":
            find_agent(request.tenant.pk, id)
            return self._stream(self._turn(id), created=True)
        body = self.valid(TurnRequest).validated_data
        choose_tenant(request._request, body["context"])
        agent = find_agent(request.tenant.pk, id)
        if not agent.is_active:
            raise AgentInactive(agent_id=id)
        run, created = self._start(agent, body)
        return self._stream(run, created)

    def _turn(self, agent_id: str) -> Run:
        """The turn that the query names: one of the caller's own with this agent."""
        request, run_id = self.request, self.request.query_params.get("run_id", "")
        rows = Run.objects.for_tenant(request.tenant).filter(kind=KIND, subject_id=agent_id)
        rows = rows.visible_to(request.user.pk)
        try:
            run = rows.filter(pk=run_id).first()
        except (ValidationError, ValueError):
            run = None
        if run is None:
            raise Invalid({"run_id": ["Must be the run of one of your turns with this agent."]})
        return run

    def _start(self, agent: AgentSpec, body: dict[str, Any]) -> tuple[Run, bool]:
        request, context = self.request, body["context"]
        mode = context.get("mode") or Mode.DRAFT
        if not isinstance(mode, str) or mode not in Mode:
            raise Invalid({"context.mode": ["Must be draft or auto."]})
        limits = start_fields(
            {name: value for name, value in body.items() if name.endswith(("_cents", "_limit", "_ms"))}
        )
        fields = limits | caller_fields(request) | idempotency(request) | {"mode": mode}
        if "request_hash" in fields:  # a turn is its user's own, so nobody's key finds another's
            fields["request_hash"] = sha256(f"{request.user.pk}\n{fields['request_hash']}".encode()).hexdigest()
        del fields["input"]
        new = NewTurn(
            request.tenant.pk,
            request.identity.user.pk,
            agent.id,
            body["message"],
            body["conversation_id"],
            context,
            fields,
        )
        run, _, created = start_turn(new)
        return run, created

    def _stream(self, run: Run, created: bool) -> StreamingHttpResponse:
        frames = turn_stream(run.id, run.input["conversation_id"], self.request.headers.get("Last-Event-ID", ""))
        response = event_stream(self.request, run, frames)
        if not created:
            response["Idempotency-Replayed"] = "true"
        return response


def _row(agent: AgentSpec) -> Agent:
    """A built-in agent as a row that is not saved."""
    profile = {name: value for name, value in asdict(agent.profile).items() if value not in (None, ())}
    return Agent(
        key=agent.id,
        name=agent.name,
        description=agent.description,
        instructions=agent.instructions,
        model_profile=profile,
        allowed_tools=list(agent.allowed_tools),
        memory={"recall": agent.recalls, "store": agent.remembers},
    )
