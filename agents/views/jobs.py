"""/api/ai/jobs and /api/ai/agents: start jobs, see how they stand, what they came to and what they cost (seed 002)."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import has_role
from agents.jobs.job import Job
from agents.jobs.lookup import read_job
from agents.jobs.program import KIND
from agents.jobs.registry import JobAgent, find_job_agent, job_agents
from agents.jobs.serializers import JobDetailSerializer, JobListItemSerializer
from agents.jobs.statuses import status_filter, status_word
from agents.jobs.submission import NewJob, find_job, header_key, related_uuid, start_job
from agents.jobs.usage import usage_by_month
from agents.llm.health import model_health
from agents.models import AgentJob
from agents.serializers.jobs import (
    CallbackSecretSerializer,
    JobAgentSerializer,
    JobHealthSerializer,
    JobQuery,
    JobRequest,
    JobUsageSerializer,
    StartedJobSerializer,
    UsageQuery,
)
from config.errors import AgentNotFound, Forbidden, IdempotencyConflict, NotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, TenantViewSet
from config.values.json_types import JsonObject
from governance.policies.evaluation import PolicyDenied
from orchestration.models import NEWEST_FIRST, Run
from orchestration.outgoing.webhooks import tenant_secret
from orchestration.runs.commands import cancel_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import PREFER, actor_of, answer_or_wait


class JobNotFound(NotFound):
    """Job not found"""

    code = "JOB_NOT_FOUND"


class JobArray(ArrayPagination):
    """A bare array of at most a hundred."""

    most = 100


class JobAgentViewSet(TenantViewSet):
    """Agents that do jobs: built-in ones, and every agent of the tenant by its key."""

    model, pagination_class = AgentJob, ArrayPagination
    not_found, noun = AgentNotFound, "job agent"
    errors = {"run": (PolicyDenied, IdempotencyConflict)}
    audit_type = "agent_job"
    lookup_url_kwarg = "agent_key"

    @extend_schema(responses=JobAgentSerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The agents."""
        page = self.paginate_queryset(job_agents(request.tenant.pk))
        return self.get_paginated_response(JobAgentSerializer.render_all(page))

    @extend_schema(
        summary="Start a job of an agent",
        parameters=[IDEMPOTENCY_KEY],
        request=JobRequest,
        responses={202: StartedJobSerializer, 200: StartedJobSerializer},
    )
    @action(detail=True, methods=["post"])
    def run(self, request: ApiRequest, agent_key: str) -> Response:
        """202 and a new job; 200 and the old one when its idempotency_key is known in the tenant."""
        agent = find_job_agent(request.tenant.pk, agent_key)
        values = self.valid(JobRequest).validated_data
        key = values["idempotency_key"]
        if key and (earlier := find_job(request.tenant.pk, key)):
            return _started(earlier, created=False)
        _check_input(agent, values["input"])
        fields: dict[str, Any] = {"key": key} if key else _by_header(request)
        fields |= caller_fields(request) | {"mode": values["mode"]}
        run, created = start_job(
            NewJob(
                request.tenant.pk,
                agent,
                values["input"],
                values["related"],
                values["callback_url"],
                values["callback_secret"],
                fields,
            )
        )
        if created or key:
            return _started(run, created)
        body = _start_json(run, "pending", created=True)  # as in the first response
        return answer(body, created, status=202)


def _check_input(agent: JobAgent, input: JsonObject) -> None:
    try:
        agent.check_input(input)
    except serializers.ValidationError as fault:
        raise serializers.ValidationError({"input": fault.detail}) from None


def _by_header(request: ApiRequest) -> dict[str, Any]:
    """start_run's key and request_hash of an Idempotency-Key header."""
    fields = idempotency(request)
    return fields | {"key": header_key(fields["key"])} if fields else {}


def _started(run: Run, created: bool) -> Response:
    return Response(_start_json(run, status_word(run), created), status=202 if created else 200)


def _start_json(run: Run, status: str, created: bool) -> JsonObject:
    return StartedJobSerializer.render({"job_id": run.id, "status": status, "created": created})


class JobViewSet(mixins.ListModelMixin, OneRun):
    """The tenant's jobs."""

    not_found, kind = JobNotFound, KIND
    noun = "job"
    pagination_class = JobArray
    audit_type = "agent_job"
    lookup_url_kwarg = "job_id"

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's runs of this kind, newest first."""
        return super().get_queryset().filter(kind=KIND).order_by(*NEWEST_FIRST)

    @extend_schema(responses=JobListItemSerializer(many=True), parameters=[JobQuery])
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The jobs, newest first."""
        query, rows = query_of(JobQuery, request), self.get_queryset()
        if "agent" in query:
            rows = rows.filter(subject_id=query["agent"])
        if "status" in query:
            rows = rows.filter(status_filter(query["status"]))
        if "related_type" in query:
            about = AgentJob.objects.for_tenant(request.tenant).filter(related_type=query["related_type"])
            if "related_id" in query:
                about = about.filter(related_id=related_uuid(query["related_type"], query["related_id"]))
            rows = rows.filter(pk__in=about.values("run_id"))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(JobListItemSerializer.render_all(map(Job, page or ())))

    @extend_schema(parameters=[PREFER], responses=JobDetailSerializer)
    def retrieve(self, request: ApiRequest, job_id: str) -> Response:
        """One job; `Prefer: wait=N` answers when its status changes, or after N ≤ 30 s."""
        return answer_or_wait(self, self._detail)

    def _detail(self, run: Run) -> JsonObject:
        return JobDetailSerializer.render(read_job(run))

    @extend_schema(summary="Cancel a job", request=None, responses=JobDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, job_id: str) -> Response:
        """The job, cancelled or about to be; a finished one stays as it ended."""
        run = self.get_object()
        if run.created_by != request.user.pk and not has_role(request, Role.DEVELOPER):
            raise Forbidden("Only who started a job, a developer or an admin may cancel it.")
        return Response(self._detail(cancel_run(run.id, run.tenant_id, actor_of(request))))


class JobHealthViewSet(TenantViewSet):
    """What jobs need, and what they have used."""

    model, pagination_class = AgentJob, ArrayPagination

    @extend_schema(summary="Get the health of job agents", responses=JobHealthSerializer)
    def health(self, request: ApiRequest) -> Response:
        """healthy, or degraded while the model cannot be asked: agents without one work all the same."""
        llm = model_health()
        row = {
            "llm": llm,
            "agents": job_agents(request.tenant.pk),
            "status": "healthy" if llm["healthy"] else "degraded",
        }
        return Response(JobHealthSerializer.render(row))

    @extend_schema(
        summary="List model usage by month",
        responses=JobUsageSerializer(many=True),
        parameters=[
            OpenApiParameter("months", int),
            OpenApiParameter("agent", str),
            OpenApiParameter("model", str),
            OpenApiParameter("user_id", OpenApiTypes.UUID),
        ],
    )
    def usage(self, request: ApiRequest) -> Response:
        """What the jobs have used, month by month, the latest first."""
        query = query_of(UsageQuery, request)
        page = self.paginate_queryset(usage_by_month(request.tenant.pk, **query))
        return self.get_paginated_response(JobUsageSerializer.render_all(page))


class CallbackSecretViewSet(TenantViewSet):
    """The secret that signs the tenant's callbacks."""

    model = AgentJob
    roles = {"read": Role.ADMIN}

    @extend_schema(summary="Get the secret of callbacks", responses=CallbackSecretSerializer)
    def secret(self, request: ApiRequest) -> Response:
        """The secret, for whoever checks the signatures; made when it is first asked for."""
        return Response(CallbackSecretSerializer.render({"secret": tenant_secret(request.tenant.pk)}))
