"""/api/v1/runs: list, detail, steps, events, stream, resume, cancel (seed 000 §3, RULINGS §6)."""

import functools
import re
from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpResponseBase
from rest_framework.decorators import action
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import OPERATOR
from config.errors import Invalid
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.paging import number
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, PagePagination, TenantViewSet
from config.values.numbers import whole_number
from orchestration import schemas
from orchestration.live.change_listener import status_changes
from orchestration.live.updates import MAX_WINDOW, run_stream
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent
from orchestration.runs import commands
from orchestration.runs.commands import Actor
from orchestration.runs.decisions import Verdict, resume_run
from orchestration.runs.lookup import OneRun
from orchestration.runs.steps import steps_of
from orchestration.serializers import runs as shapes
from orchestration.serializers.requests import EventRequest, ResumeRequest, RunQuery
from orchestration.views.event_stream import event_stream

MAX_WAIT_S = 30
PREFER_WAIT = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]+)", re.IGNORECASE)
EVENT_FIELDS = ("run_id", "seq", "kind", "step", "payload", "ts")
MAX_SEQ = 2**31 - 1


def preferred_wait(request: ApiRequest) -> int:
    """Seconds that the caller is willing to wait (RFC 7240), at most 30; 0 when it does not say."""
    found = PREFER_WAIT.search(request.headers.get("Prefer", ""))
    return min(whole_number(found[1]) or 0, MAX_WAIT_S) if found else 0


def answer_or_wait(view: TenantViewSet, shape: Callable[[Run], Any]) -> Response:
    """The run of the URL in this shape: at once, or with `Prefer: wait` when an unfinished one has another status."""
    run: Run = view.get_object()
    response = DeferrableResponse(shape(run))
    if seconds := preferred_wait(view.request):
        response["Preference-Applied"] = f"wait={seconds}"
        if run.status not in FINAL:
            until = functools.partial(status_changes, run.id, run.status, seconds)
            response.defer(view, until, lambda: Response(shape(view.get_object())))
    return response


def actor_of(request: ApiRequest) -> Actor:
    """Who makes this call; the platform's operators stand above every role."""
    role = OPERATOR if request.user.is_staff else request.role
    return Actor(request.identity.user.pk, role)


class RunViewSet(OneRun):
    """Runs of every kind."""

    roles = {"resume": Role.DEVELOPER}
    pagination_class: type[BasePagination] | None = PagePagination

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's; a conversation is its user's own."""
        return super().get_queryset().filter(~Q(kind="conversation") | Q(created_by=self.request.caller_id))

    def ordered(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Newest first."""
        return rows.order_by(*NEWEST_FIRST)

    def actor(self) -> Actor:
        """Who makes this call."""
        return actor_of(self.request)

    @schemas.run_list
    def list(self, request: ApiRequest) -> Response:
        """The tenant's runs, newest first, by workflow_id, status, mode, kind, app_id."""
        filters = query_of(RunQuery, request)
        if workflow := filters.pop("workflow_id", None):
            filters["subject_id"] = workflow
        rows = self.paginate_queryset(self.get_queryset().filter(**filters))
        return self.get_paginated_response([shapes.run_json(run) for run in rows or ()])

    @schemas.run_detail
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """One run; `Prefer: wait=N` answers when its status changes, or after N ≤ 30 s."""
        return answer_or_wait(self, shapes.run_json)

    @schemas.run_steps
    @action(detail=True, methods=["get"], pagination_class=ArrayPagination)
    def steps(self, request: ApiRequest, pk: str) -> Response:
        """The run's steps in the order of their starts, those under way included."""
        page = self.paginate_queryset(steps_of(self.get_object()))
        return self.get_paginated_response([shapes.step_json(row) for row in page or ()])

    @schemas.run_events
    @action(detail=True, methods=["get", "post"], pagination_class=ArrayPagination)
    def events(self, request: ApiRequest, pk: str) -> Response:
        """GET: the trace, in order; `after` leaves out what has been seen. POST: send an event that the run waits
        for.
        """
        run = self.get_object()
        if request.method == "POST":
            return self._send(run)
        rows = RunEvent.objects.for_tenant(run.tenant_id).filter(run_id=run.id).order_by("seq")
        if after := request.query_params.get("after"):
            rows = rows.filter(seq__gt=seq_named(after, "after"))
        page = self.paginate_queryset(rows.values(*EVENT_FIELDS))
        return self.get_paginated_response([shapes.event_json(row) for row in page or ()])

    def _send(self, run: Run) -> Response:
        sent = self.valid(EventRequest).validated_data
        signal = commands.send_event(run.id, run.tenant_id, sent["name"], sent["payload"])
        return Response({"message": "Event sent", "id": signal.pk, "run_id": str(run.id), "name": signal.name})

    @schemas.run_stream
    @action(detail=True, methods=["get"])
    def stream(self, request: ApiRequest, pk: str) -> HttpResponseBase:
        """SSE: connected, update…, complete; `Last-Event-ID` (or `after`) resumes without gap or repeat."""
        run = self.get_object()
        places = {"Last-Event-ID": request.headers.get("Last-Event-ID"), "after": request.query_params.get("after")}
        after = next((seq_named(text, field) for field, text in places.items() if text), 0)
        window = number(request, "window", 0, 0, MAX_WINDOW)
        return event_stream(request, run, run_stream(run.id, after, window))

    @schemas.run_resume
    @action(detail=True, methods=["patch", "put", "post"])
    def resume(self, request: ApiRequest, pk: str) -> Response:
        """The paused run, going on after a yes, cancelled after a no."""
        run = self.get_object()
        told = self.valid(ResumeRequest).validated_data["approval_input"]
        run = resume_run(run.id, run.tenant_id, self.actor(), Verdict(**told))
        return Response(shapes.run_json(run))

    @schemas.run_cancel
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """The run, cancelled or about to be; a finished one stays as it ended."""
        run = self.get_object()
        return Response(shapes.run_json(commands.cancel_run(run.id, run.tenant_id, self.actor())))


def seq_named(text: str, field: str) -> int:
    """The event number that the caller has seen; a 400 when it is none."""
    seq = whole_number(text)
    if seq is None or not 0 <= seq <= MAX_SEQ:
        raise Invalid({field: ["Must be the number (seq) of an event: 0 or more."]})
    return seq
