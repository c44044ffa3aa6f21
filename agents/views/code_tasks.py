"""/tasks: code tasks, started, watched, cancelled, deleted; /health counts them (seed 003)."""

import functools
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.helpers import forced_singular_serializer
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.login.local_user import LocalAuthenticator
from accounts.members import LOCAL
from accounts.models import Role
from accounts.permissions import has_role
from accounts.tenancy.tenant_model import everywhere
from agents.code_tasks.deletion import delete_task
from agents.code_tasks.payloads import (
    MAX_RESULT_LENGTH,
    count_states,
    in_state,
    new_task_json,
    state,
    task_json,
    tasks_json,
    tasks_of,
)
from agents.code_tasks.program import KIND
from agents.code_tasks.task_input import input_json
from agents.sandbox import sandboxed_command
from agents.serializers.code_tasks import CountsShape, TaskHealthShape, TaskListShape, TaskQuery, TaskRequest, TaskShape
from config.errors import Conflict, DomainError, Forbidden, NotFound
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.paging import page_of
from config.http.query_parameters import query_of
from config.http.viewsets import ApiView
from orchestration.live.run_waits import wait_for_end
from orchestration.models import FINAL, Mode, Run
from orchestration.runs.commands import cancel_run, start_run
from orchestration.runs.idempotency import answer, caller_fields, idempotency
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import actor_of, answer_or_wait

CANCEL_S = 5.0  # that a cancel waits for the task to have ended; what it has begun is stopped within two


class TaskNotFound(NotFound):
    """Task não encontrada"""

    def __init__(self, pk: str = "", **context: Any) -> None:
        super().__init__(f"Task {pk[:64]} não encontrada", **context)


class TaskOver(DomainError):
    """The task has come to its end already."""


# As everywhere, or none at all from this machine.
AUTH: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {"cookie": []}, {}]


@extend_schema(auth=AUTH)  # type: ignore[arg-type]
class TaskViewSet(OneRun):
    """The tenant's code tasks."""

    not_found, kind, pagination_class = TaskNotFound, KIND, None
    authentication_classes = [LocalAuthenticator]
    audit_type = "task"

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's, newest first."""
        return tasks_of(self.request.tenant_id)

    @extend_schema(request=TaskRequest, responses={201: TaskShape})
    def create(self, request: ApiRequest) -> Response:
        """201 and the new task; it is worked on in the background."""
        given = self.valid(TaskRequest).validated_data
        run, created = start_run(
            tenant_id=request.tenant.pk,
            kind=KIND,
            input=input_json(given),
            mode=Mode.AUTO,
            **caller_fields(request),
            **idempotency(request),
        )
        return answer(new_task_json(run), created)

    @extend_schema(responses=forced_singular_serializer(TaskListShape), parameters=[TaskQuery])
    def list(self, request: ApiRequest) -> Response:
        """The tasks, newest first, and how many there are of that state."""
        query = query_of(TaskQuery, request)
        rows, wanted = self.get_queryset(), query.get("state")
        if wanted:
            rows = rows.filter(in_state(wanted))
        page, total = page_of(rows, query["offset"], query["limit"])
        body = {"tasks": tasks_json(page, MAX_RESULT_LENGTH), "total": total.value, "total_is_exact": total.is_exact}
        return Response(body)

    @extend_schema(summary="Count code tasks by state", responses=CountsShape)
    @action(detail=False, methods=["get"])
    def stats(self, request: ApiRequest) -> Response:
        """How many tasks there are in each state."""
        return Response(count_states(self.get_queryset()))

    @extend_schema(responses=TaskShape)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """One task; `Prefer: wait=N` answers when its state changes, or after N ≤ 30 s."""
        return answer_or_wait(self, task_json)

    @extend_schema(summary="Cancel a code task", request=None, responses=TaskShape)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """The task, cancelled, with all that it has started gone; 400 when it is over."""
        run = self.get_object()
        self._allowed(run, "cancel")
        if (word := state(run)) in FINAL:
            raise TaskOver(f"Task {run.id} não pode ser cancelada (estado atual: {word})")
        run = cancel_run(run.id, run.tenant_id, actor_of(request))
        response = DeferrableResponse(task_json(run))
        if run.status not in FINAL:
            until = functools.partial(wait_for_end, run.id, CANCEL_S)
            response.defer(self, until, lambda: Response(task_json(self.get_object())))
        return response

    @extend_schema(responses={204: None})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Delete a finished task: its record, its workspace, and the files that it left; 409 while it is not over."""
        run = self.get_object()
        self._allowed(run, "delete")
        if run.status not in FINAL:
            raise Conflict(f"Task {run.id} is {state(run)}; cancel it, or wait for its end, before you delete it.")
        delete_task(run)
        return Response(status=204)

    def _allowed(self, run: Run, what: str) -> None:
        if run.created_by != self.request.user.pk and not has_role(self.request, Role.DEVELOPER):
            raise Forbidden(f"Only who created a task, a developer or an admin may {what} it.")


@extend_schema(auth=AUTH)  # type: ignore[arg-type]
class TaskHealthView(ApiView):
    """`/health`."""

    authentication_classes = [LocalAuthenticator]
    permission_classes = ()

    @extend_schema(summary="Get the health of code tasks", responses=TaskHealthShape)
    def get(self, request: ApiRequest) -> Response:
        """healthy, the number of the caller's tenant's tasks in each state (without credentials those of this
        machine's own users), and whether commands can be run.
        """
        with everywhere():
            tasks = count_states(tasks_of(request.tenant_id or LOCAL))
        reason = sandboxed_command.unavailable_reason()
        return Response(
            {"status": "healthy", "tasks": tasks, "sandbox": {"available": not reason, "reason": reason or None}}
        )
