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
from agents.jobs.callbacks import DELIVERY_EVENT
from agents.jobs.payloads import detail_json, list_json, status_filter, status_word
from agents.jobs.program import KIND
from agents.jobs.registry import JobAgent, find_job_agent, job_agents
from agents.jobs.submission import NewJob, find_job, header_key, related_uuid, start_job
from agents.jobs.usage import monthly
from agents.llm.health import model_health
from agents.models import AgentJob
from agents.serializers.jobs import (
    HealthShape,
    JobAgentShape,
    JobListShape,
    JobQuery,
    JobRequest,
    JobShape,
    JobUsageShape,
    SecretShape,
    StartedShape,
    UsageQuery,
)
from config.errors import Forbidden, NotFound
from config.http.api_request import ApiRequest
from config.http.fields import iso
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, TenantViewSet
from orchestration.models import FINAL, NEWEST_FIRST, Run, RunEvent, Status
from orchestration.outgoing.deliveries import masked_url
from orchestration.outgoing.webhooks import tenant_secret
from orchestration.runs.commands import cancel_run
from orchestration.runs.idempotency import answer, caller_fields, idempotency
from orchestration.runs.lookup import OneRun
from orchestration.views.runs import actor_of, answer_or_wait


class JobNotFound(NotFound):
    """Job not found"""

    code = "JOB_NOT_FOUND"


class JobArray(ArrayPagination):
    """A bare array of at most a hundred."""

    most = 100


class JobAgentViewSet(TenantViewSet):
    """Agents that do jobs: built-in ones, and every agent of the tenant by its key."""

    model, pagination_class = AgentJob, ArrayPagination
    audit_type = "agent_job"
    lookup_url_kwarg = "agent_key"

    @extend_schema(responses=JobAgentShape(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The agents."""
        page = self.paginate_queryset(job_agents(request.tenant.pk))
        return self.get_paginated_response([agent.as_json() for agent in page or ()])

    @extend_schema(
        summary="Start a job of an agent", request=JobRequest, responses={202: StartedShape, 200: StartedShape}
    )
    @action(detail=True, methods=["post"])
    def run(self, request: ApiRequest, agent_key: str) -> Response:
        """202 and a new job; 200 and the old one when its idempotency_key is known in the tenant."""
        agent = find_job_agent(request.tenant.pk, agent_key)
        given = self.valid(JobRequest).validated_data
        key = given["idempotency_key"]
        if key and (earlier := find_job(request.tenant.pk, key)):
            return _started(earlier, created=False)
        _check_input(agent, given["input"])
        fields: dict[str, Any] = {"key": key} if key else _by_header(request)
        fields |= caller_fields(request) | {"mode": given["mode"]}
        run, created = start_job(
            NewJob(
                request.tenant.pk,
                agent,
                given["input"],
                given["related"],
                given["callback_url"],
                given["callback_secret"],
                fields,
            )
        )
        if created or key:
            return _started(run, created)
        told = {"job_id": str(run.id), "status": "pending", "created": True}  # as the first answer said
        return answer(told, created, status=202)


def _check_input(agent: JobAgent, given: dict[str, Any]) -> None:
    try:
        agent.check_input(given)
    except serializers.ValidationError as fault:
        raise serializers.ValidationError({"input": fault.detail}) from None


def _by_header(request: ApiRequest) -> dict[str, Any]:
    """start_run's key and request_hash of an Idempotency-Key header."""
    given = idempotency(request)
    return given | {"key": header_key(given["key"])} if given else {}


def _started(run: Run, created: bool) -> Response:
    told = {"job_id": str(run.id), "status": status_word(run), "created": created}
    return Response(told, status=202 if created else 200)


class JobViewSet(mixins.ListModelMixin, OneRun):
    """The tenant's jobs."""

    not_found, kind = JobNotFound, KIND
    pagination_class = JobArray
    audit_type = "agent_job"
    lookup_url_kwarg = "job_id"

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's runs of this kind, newest first."""
        return super().get_queryset().filter(kind=KIND).order_by(*NEWEST_FIRST)

    @extend_schema(responses=JobListShape(many=True), parameters=[JobQuery])
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The jobs, newest first."""
        given, rows = query_of(JobQuery, request), self.get_queryset()
        if "agent" in given:
            rows = rows.filter(subject_id=given["agent"])
        if "status" in given:
            rows = rows.filter(status_filter(given["status"]))
        if "related_type" in given:
            about = AgentJob.objects.for_tenant(request.tenant).filter(related_type=given["related_type"])
            if "related_id" in given:
                about = about.filter(related_id=related_uuid(given["related_type"], given["related_id"]))
            rows = rows.filter(pk__in=about.values("run_id"))
        page = self.paginate_queryset(rows)
        return self.get_paginated_response([list_json(run) for run in page or ()])

    @extend_schema(responses=JobShape)
    def retrieve(self, request: ApiRequest, job_id: str) -> Response:
        """One job; `Prefer: wait=N` answers when its status changes, or after N ≤ 30 s."""
        return answer_or_wait(self, self._detail)

    def _detail(self, run: Run) -> dict[str, Any]:
        job = AgentJob.objects.for_tenant(run.tenant_id).filter(run_id=run.id).first()
        return detail_json(run, job) | {"callback": _callback(job) if job and job.callback_url else None}

    @extend_schema(summary="Cancel a job", request=None, responses=JobShape)
    @action(detail=True, methods=["post"])
    def cancel(self, request: ApiRequest, job_id: str) -> Response:
        """The job, cancelled or about to be; a finished one stays as it ended."""
        run = self.get_object()
        if run.created_by != request.user.pk and not has_role(request, Role.DEVELOPER):
            raise Forbidden("Only who started a job, a developer or an admin may cancel it.")
        return Response(self._detail(cancel_run(run.id, run.tenant_id, actor_of(request))))


def _callback(job: AgentJob) -> dict[str, Any]:
    """How the callback stands, with the log of its deliveries."""
    events = (
        RunEvent.objects.for_tenant(job.tenant_id)
        .filter(run_id=job.callback_run_id, kind=DELIVERY_EVENT)
        .order_by("seq")
    )
    run = Run.objects.for_tenant(job.tenant_id).filter(pk=job.callback_run_id).first()
    status = "delivered" if run and run.status == Status.COMPLETED else "waiting"
    if run and run.status in FINAL and status == "waiting":
        status = "failed"
    tries = [{"ts": iso(event.ts)} | event.payload for event in events]
    return {"url": masked_url(job.callback_url), "status": status, "deliveries": tries}


class JobHealthViewSet(TenantViewSet):
    """What jobs need, and what they have used."""

    model, pagination_class = AgentJob, ArrayPagination

    @extend_schema(summary="Get the health of job agents", responses=HealthShape)
    def health(self, request: ApiRequest) -> Response:
        """healthy, or degraded while the model cannot be asked: agents without one work all the same."""
        llm = model_health()
        agents = [agent.as_json() for agent in job_agents(request.tenant.pk)]
        return Response({"llm": llm, "agents": agents, "status": "healthy" if llm["healthy"] else "degraded"})

    @extend_schema(
        summary="List model usage by month",
        responses=JobUsageShape(many=True),
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
        return self.get_paginated_response(self.paginate_queryset(monthly(request.tenant.pk, **query)))


class CallbackSecretViewSet(TenantViewSet):
    """The secret that signs the tenant's callbacks."""

    model = AgentJob
    roles = {"read": Role.ADMIN}

    @extend_schema(summary="Get the secret of callbacks", responses=SecretShape)
    def secret(self, request: ApiRequest) -> Response:
        """The secret, for whoever checks the signatures; made when it is first asked for."""
        return Response({"secret": tenant_secret(request.tenant.pk)})
