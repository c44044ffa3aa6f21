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
from agents.code_tasks.program import KIND
from agents.code_tasks.states import count_states, state_filter, task_state, tasks_of
from agents.code_tasks.task import MAX_RESULT_LENGTH, new_task, read_task, read_tasks
from agents.code_tasks.task_input import input_json
from agents.sandbox import sandboxed_command
from agents.serializers.code_tasks import (
    CodeTaskListSerializer,
    CodeTaskSerializer,
    TaskCountsSerializer,
    TaskHealthSerializer,
    TaskQuery,
    TaskRequest,
)
from config.errors import Conflict, DomainError, Forbidden, IdempotencyConflict, NotFound
from config.http.api_request import ApiRequest
from config.http.deferred import DeferrableResponse
from config.http.paging import page_of
from config.http.query_parameters import query_of
from config.http.viewsets import ApiView
from config.values.json_types import JsonObject
from governance.policies.evaluation import PolicyDenied
from orchestration.live.run_waits import wait_for_end
from orchestration.models import FINAL, Mode, Run
from orchestration.runs.commands import cancel_run, start_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import PREFER, actor_of, answer_or_wait

CANCEL_S = 5.0  # that a cancel waits for the task to have ended; what it has begun is stopped within two


class TaskNotFound(NotFound):
    """Task não encontrada"""

    def __init__(self, pk: str = "", **context: Any) -> None:
        super().__init__(f"Task {pk[:64]} não encontrada", **context)


class TaskOver(DomainError):
    """The task has come to its end already."""


def _render(run: Run) -> JsonObject:
    return CodeTaskSerializer.render(read_task(run))


# As everywhere, or none at all from this machine.
AUTH: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}, {"cookie": []}, {}]


@extend_schema(auth=AUTH)  # type: ignore[arg-type]
class TaskViewSet(OneRun):
    """The tenant's code tasks."""

    not_found, kind, pagination_class = TaskNotFound, KIND, None
    authentication_classes = [LocalAuthenticator]
    audit_type = "task"
    noun = "code task"
    errors = {"create": (PolicyDenied, IdempotencyConflict), "cancel": (TaskOver,), "destroy": (Conflict,)}

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's, newest first."""
        return tasks_of(self.request.tenant_id)

    @extend_schema(parameters=[IDEMPOTENCY_KEY], request=TaskRequest, responses={201: CodeTaskSerializer})
    def create(self, request: ApiRequest) -> Response:
        """201 and the new task; it is worked on in the background."""
        values = self.valid(TaskRequest).validated_data
        run, created = start_run(
            tenant_id=request.tenant.pk,
            kind=KIND,
            input=input_json(values),
            mode=Mode.AUTO,
            **caller_fields(request),
            **idempotency(request),
        )
        return answer(CodeTaskSerializer.render(new_task(run)), created)

    @extend_schema(responses=forced_singular_serializer(CodeTaskListSerializer), parameters=[TaskQuery])
    def list(self, request: ApiRequest) -> Response:
        """The tasks, newest first, and how many there are of that state."""
        query = query_of(TaskQuery, request)
        rows = self.get_queryset()
        if state := query.get("state"):
            rows = rows.filter(state_filter(state))
        page, total = page_of(rows, query["offset"], query["limit"])
        tasks = read_tasks(page, MAX_RESULT_LENGTH)
        row = {"tasks": tasks, "total": total.value, "total_is_exact": total.is_exact}
        return Response(CodeTaskListSerializer.render(row))

    @extend_schema(summary="Count code tasks by state", responses=TaskCountsSerializer)
    @action(detail=False, methods=["get"])
    def stats(self, request: ApiRequest) -> Response:
        """How many tasks there are in each state."""
        return Response(TaskCountsSerializer.render(count_states(self.get_queryset())))

    @extend_schema(parameters=[PREFER], responses=CodeTaskSerializer)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """One task; `Prefer: wait=N` answers when its state changes, or after N ≤ 30 s."""
        return answer_or_wait(self, _render)

    @extend_schema(summary="Cancel a code task", request=None, responses=CodeTaskSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, pk: str) -> Response:
        """The task, cancelled, with all that it has started gone; 400 when it is over."""
        run = self.get_object()
        self._check_permission(run, "cancel")
        if (state := task_state(run)) in FINAL:
            raise TaskOver(f"Task {run.id} não pode ser cancelada (estado atual: {state})")
        run = cancel_run(run.id, run.tenant_id, actor_of(request))
        response = DeferrableResponse(_render(run))
        if run.status not in FINAL:
            until = functools.partial(wait_for_end, run.id, CANCEL_S)
            response.defer(self, until, lambda: Response(_render(self.get_object())))
        return response

    @extend_schema(responses={204: None})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Delete a finished task: its record, its workspace, and the files that it left; 409 while it is not over."""
        run = self.get_object()
        self._check_permission(run, "delete")
        if run.status not in FINAL:
            raise Conflict(f"Task {run.id} is {task_state(run)}; cancel it, or wait for its end, before you delete it.")
        delete_task(run)
        return Response(status=204)

    def _check_permission(self, run: Run, verb: str) -> None:
        if run.created_by != self.request.user.pk and not has_role(self.request, Role.DEVELOPER):
            raise Forbidden(f"Only who created a task, a developer or an admin may {verb} it.")


@extend_schema(auth=AUTH)  # type: ignore[arg-type]
class TaskHealthView(ApiView):
    """`/health`."""

    authentication_classes = [LocalAuthenticator]
    permission_classes = ()

    @extend_schema(summary="Get the health of code tasks", responses=TaskHealthSerializer)
    def get(self, request: ApiRequest) -> Response:
        """healthy, the number of the caller's tenant's tasks in each state (without credentials those of this
        machine's own users), and whether commands can be run.
        """
        with everywhere():
            tasks = count_states(tasks_of(request.tenant_id or LOCAL))
        reason = sandboxed_command.unavailable_reason()
        sandbox = {"available": not reason, "reason": reason or None}
        return Response(TaskHealthSerializer.render({"status": "healthy", "tasks": tasks, "sandbox": sandbox}))
