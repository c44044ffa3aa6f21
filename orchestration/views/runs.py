"""/api/v1/runs: list, detail, steps, events, stream, resume, cancel (seed 000 §3, RULINGS §6)."""

import functools
import re
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.decorators import action
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import OPERATOR
from config.errors import Conflict, Invalid
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.paging import number
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, PagePagination, TenantViewSet
from config.values.json_types import Json
from config.values.numbers import whole_number
from orchestration.live.run_waits import wait_for_change
from orchestration.live.updates import MAX_WINDOW, run_stream
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent
from orchestration.models.visibility import visible_to
from orchestration.runs import commands
from orchestration.runs.commands import Actor
from orchestration.runs.decisions import NotPaused, Verdict, resume_run
from orchestration.runs.lookup import OneRun
from orchestration.runs.steps import steps_of
from orchestration.serializers.requests import EventRequest, ResumeRequest, RunQuery
from orchestration.serializers.runs import EventSerializer, RunSerializer, SentEventSerializer, StepSerializer
from orchestration.views.event_stream import event_stream

MAX_WAIT_S = 30
PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]+)", re.IGNORECASE)
EVENT_FIELDS = ("run_id", "seq", "kind", "step", "payload", "ts")
MAX_SEQ = 2**31 - 1
STREAM_EXAMPLE = 'event: connected\ndata: {"type": "connected", "runId": "0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a11"}\n\n'
PREFER = OpenApiParameter(
    "Prefer", str, OpenApiParameter.HEADER, description=f"wait=N (RFC 7240): N up to {MAX_WAIT_S} s."
)
LAST_EVENT_ID = OpenApiParameter(
    "Last-Event-ID", int, OpenApiParameter.HEADER, description="The last seq that was received."
)
WINDOW = OpenApiParameter("window", int, description=f"Repeat the last so many events: 0 to {MAX_WINDOW}.")
AFTER = OpenApiParameter("after", int, description="Only events after this seq.")
EVENT_STREAM = OpenApiResponse(
    OpenApiTypes.STR,
    description="Server-sent events: connected, update…, complete, or error.",
    examples=[OpenApiExample("stream", STREAM_EXAMPLE, media_type="text/event-stream")],
)


def preferred_wait(request: ApiRequest) -> int:
    """Seconds that the caller is willing to wait (RFC 7240), at most 30; 0 when it does not say."""
    match = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    return min(whole_number(match[1]) or 0, MAX_WAIT_S) if match else 0


def answer_or_wait(view: TenantViewSet, render: Callable[[Run], Json]) -> Response:
    """The run of the URL: at once, or with `Prefer: wait` when an unfinished one has another status."""
    run: Run = view.get_object()
    response = DeferrableResponse(render(run))
    if seconds := preferred_wait(view.request):
        response["Preference-Applied"] = f"wait={seconds}"
        if run.status not in FINAL:
            until = functools.partial(wait_for_change, run.id, run.status, seconds)
            response.defer(view, until, lambda: Response(render(view.get_object())))
    return response


def actor_of(request: ApiRequest) -> Actor:
    """Who makes this call; the platform's operators stand above every role."""
    role = OPERATOR if request.user.is_staff else request.role
    return Actor(request.identity.user.pk, role)


class RunViewSet(OneRun):
    """Runs of every kind."""

    roles = {"resume": Role.DEVELOPER}
    errors = {"resume": (NotPaused,), "events": (Conflict,)}
    pagination_class: type[BasePagination] | None = PagePagination

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's runs that the caller may see."""
        return super().get_queryset().filter(visible_to(self.request.caller_id))

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Newest first."""
        return rows.order_by(*NEWEST_FIRST)

    def actor(self) -> Actor:
        """Who makes this call."""
        return actor_of(self.request)

    @extend_schema(parameters=[RunQuery], responses=RunSerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The tenant's runs, newest first, by workflow_id, status, mode, kind, app_id."""
        filters = query_of(RunQuery, request)
        if workflow := filters.pop("workflow_id", None):
            filters["subject_id"] = workflow
        rows = self.paginate_queryset(self.get_queryset().filter(**filters))
        return self.get_paginated_response(RunSerializer.render_all(rows))

    @extend_schema(parameters=[PREFER], responses=RunSerializer)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """One run; `Prefer: wait=N` answers when its status changes, or after N ≤ 30 s."""
        return answer_or_wait(self, RunSerializer.render)

    @extend_schema(summary="List a run's steps", responses=StepSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=ArrayPagination)
    def steps(self, request: ApiRequest, pk: str) -> Response:
        """The run's steps in the order of their starts, those under way included."""
        page = self.paginate_queryset(steps_of(self.get_object()))
        return self.get_paginated_response(StepSerializer.render_all(page))

    @extend_schema(
        methods=["GET"], summary="List a run's events", parameters=[AFTER], responses=EventSerializer(many=True)
    )
    @extend_schema(
        methods=["POST"],
        operation_id="runs_send_event",
        summary="Send a run an event that it waits for",
        request=EventRequest,
        responses=SentEventSerializer,
    )
    @action(detail=True, methods=["get", "post"], pagination_class=ArrayPagination)
    def events(self, request: ApiRequest, pk: str) -> Response:
        """In the order of `seq`. An event that is sent before the run waits for it is kept until then."""
        run = self.get_object()
        if request.method == "POST":
            return self._send(run)
        rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id).order_by("seq")
        if after := request.query_params.get("after"):
            rows = rows.filter(seq__gt=seq_of(after, "after"))
        page = self.paginate_queryset(rows.values(*EVENT_FIELDS))
        return self.get_paginated_response(EventSerializer.render_all(page))

    def _send(self, run: Run) -> Response:
        event = self.valid(EventRequest).validated_data
        signal = commands.send_event(run.id, run.tenant_id, event["name"], event["payload"])
        row = {"message": "Event sent", "id": signal.pk, "run_id": run.id, "name": signal.name}
        return Response(SentEventSerializer.render(row))

    @extend_schema(
        summary="Follow a run",
        parameters=[LAST_EVENT_ID, AFTER, WINDOW],
        responses={(200, "text/event-stream"): EVENT_STREAM},
    )
    @action(detail=True, methods=["get"])
    def stream(self, request: ApiRequest, pk: str) -> HttpResponseBase:
        """SSE: connected, update…, complete; `Last-Event-ID` (or `after`) resumes without gap or repeat."""
        run = self.get_object()
        places = {"Last-Event-ID": request.headers.get("Last-Event-ID"), "after": request.query_params.get("after")}
        after = next((seq_of(text, field) for field, text in places.items() if text), 0)
        window = number(request, "window", 0, 0, MAX_WINDOW)
        return event_stream(request, run, run_stream(run.id, after, window))

    @extend_schema(summary="Approve or reject what a run asks", request=ResumeRequest, responses=RunSerializer)
    @action(detail=True, methods=["patch", "put", "post"])
    def resume(self, request: ApiRequest, pk: str) -> Response:
        """The paused run, going on after a yes, cancelled after a no."""
        run = self.get_object()
        verdict = Verdict(**self.valid(ResumeRequest).validated_data["approval_input"])
        run = resume_run(run.id, run.tenant_id, self.actor(), verdict)
        return Response(RunSerializer.render(run))

    @extend_schema(summary="Cancel a run", request=None, responses=RunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """The run, cancelled or about to be; a finished one stays as it ended."""
        run = self.get_object()
        return Response(RunSerializer.render(commands.cancel_run(run.id, run.tenant_id, self.actor())))


def seq_of(text: str, field: str) -> int:
    """The event number that the caller has seen; a 400 when it is none."""
    seq = whole_number(text)
    if seq is None or not 0 <= seq <= MAX_SEQ:
        raise Invalid({field: ["Must be the number (seq) of an event: 0 or more."]})
    return seq
