"""/api/v1/tools (seed 000 §6) and their execution outside of runs (seed 004)."""

import functools
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from agents.loop.tool_program import KIND
from agents.models import Tool
from agents.serializers.tools import ToolExecutionSerializer, ToolSerializer
from agents.tools.lookup import find_tool
from agents.tools.registry import BUILT_IN
from agents.views.catalog import KeyedViewSet
from config.errors import ScopeDenied, ToolNotFound
from config.http.api_request import ApiRequest
from config.http.viewsets import body_object
from config.values.json_types import JsonObject
from governance.policies.evaluation import PolicyDenied
from orchestration.live.run_waits import wait_for_end
from orchestration.models import FINAL, Mode, Run
from orchestration.runs.commands import start_run
from orchestration.runs.idempotency import answer, caller_fields, idempotency

WAIT_S = 60.0  # an execution that takes longer is answered as running


class ToolViewSet(KeyedViewSet):
    """Tools: a tenant's own and the built-in ones."""

    model, not_found = Tool, ToolNotFound
    serializer_class = ToolSerializer
    free_body = frozenset({"execute"})
    errors = {**KeyedViewSet.errors, "execute": (ScopeDenied, PolicyDenied)}

    def built_in(self) -> list[Tool]:
        """The tools that are code."""
        return [
            Tool(
                key=tool.id,
                name=tool.name,
                description=tool.description,
                input_schema=tool.input_schema,
                handler_type=tool.handler_type,
                handler_config=tool.handler_config,
                risk_level=tool.risk_level,
                side_effects=list(tool.side_effects),
            )
            for tool in BUILT_IN.values()
        ]

    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the tool, new or replaced; a signing key of ours is in this answer only."""
        response = super().create(request, *args, **kwargs)
        if self.serializer.new_secret:
            response.data["handler_config"] |= {"secret": self.serializer.new_secret}
        return response

    @extend_schema(
        summary="Execute a tool",
        request={"application/json": {"type": "object"}},
        responses=ToolExecutionSerializer,
    )
    @action(detail=True, methods=["post"])
    def execute(self, request: ApiRequest, id: str) -> Response:
        """The execution: completed with the output, failed with the reason, or running when it takes too long to wait
        for, or waits for a person's approval (`approval_id`); its id is that of a run.
        """
        run, created = start_run(
            tenant_id=request.tenant.pk,
            kind=KIND,
            subject_id=id,
            input=self._checked_input(id),
            mode=Mode.AUTO,
            **caller_fields(request),
            **idempotency(request),
        )
        response = answer(ToolExecutionSerializer.render(run), created, 200)
        if run.status not in FINAL:
            until = functools.partial(wait_for_end, run.id, WAIT_S, or_paused=True)
            rows = Run.objects.for_tenant(run.tenant_id)
            response.defer(self, until, lambda: Response(ToolExecutionSerializer.render(rows.get(pk=run.id))))
        return response

    def _checked_input(self, id: str) -> JsonObject:
        """The input, fit for the tool; what is wrong with it is answered before a run is started."""
        tool = find_tool(self.request.tenant.pk, id)
        if tool.needs_scope:
            raise ScopeDenied(f"The tool {id} may be called only by an app that has a scope for it.", tool_id=id)
        return tool.canonical_input(_input(body_object(self.request)))


def _input(body: JsonObject) -> JsonObject:
    """The body, or what is in its only key `input`."""
    inner = body.get("input")
    return inner if len(body) == 1 and isinstance(inner, dict) else body
