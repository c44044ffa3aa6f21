"""Roots and health in each contract's words, the processes' metrics, and the answer to unknown paths."""

import time
from datetime import UTC, datetime

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from accounts.permissions import Operators
from config.database.probe import CONNECTED, PROBE
from config.http.api_request import ApiRequest
from config.http.error_handler import handler404
from config.http.fields import iso
from config.http.serializers import ResponseSerializer
from config.http.viewsets import ApiView
from config.processes import health as _process_health  # noqa: F401  (registers its readiness check)
from config.processes import metrics, reports, scheduler_heartbeat
from config.processes.readiness import DATABASE, DEGRADED, DOWN, READY, PartState, readiness, readiness_check

STARTED = time.monotonic()
NO_SCHEDULER = (
    "No scheduler is alive: start one (python -m config.launch scheduler). Runs go on; alerts, seals of the audit log, "
    "metrics and clean-up wait for it."
)
ABOUT = {"message": "Regente API", "version": settings.VERSION, "api": "/api/v1"}


class RootSerializer(ResponseSerializer):
    """The product, and where its documentation is."""

    status = serializers.CharField()
    service = serializers.CharField()
    docs = serializers.CharField()
    message = serializers.CharField()
    version = serializers.CharField()
    api = serializers.CharField()


class ApiRootSerializer(ResponseSerializer):
    """Name and version of the API."""

    message = serializers.CharField()
    version = serializers.CharField()
    api = serializers.CharField()


class LiveSerializer(ResponseSerializer):
    """A process that answers, and the database as it sees it."""

    status = serializers.ChoiceField(("ok", "degraded"))
    timestamp = serializers.DateTimeField()
    database = serializers.ChoiceField(("connected", "disconnected", "error"))
    uptime = serializers.FloatField(help_text="Seconds.")


class SystemHealthSerializer(ResponseSerializer):
    """The health of the product's parts."""

    status = serializers.ChoiceField(("healthy", "degraded", "unhealthy"))
    timestamp = serializers.DateTimeField()
    uptime = serializers.FloatField(help_text="Seconds.")
    services = serializers.DictField(help_text="The state of each part.")


class PublicView(ApiView):
    """A view that needs no credentials."""

    authentication_classes = ()
    permission_classes = ()


class RootView(PublicView):
    """`/`: the keys of both contracts that have one."""

    @extend_schema(summary="Name the product", responses=RootSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Its version, and where the documentation is."""
        return Response(RootSerializer.render({"status": "online", "service": "Regente", "docs": "/docs", **ABOUT}))


class ApiRootView(PublicView):
    """`/api/v1`."""

    @extend_schema(summary="Name the API", responses=ApiRootSerializer)
    def get(self, request: ApiRequest) -> Response:
        """Name and version of the API."""
        return Response(ApiRootSerializer.render(ABOUT))


class LiveView(PublicView):
    """`/healthz` and `/api/v1/healthz`: the process answers; says how the database is."""

    @extend_schema(summary="Say whether this process answers", responses=LiveSerializer)
    def get(self, request: ApiRequest) -> Response:
        """status ok or degraded, database connected, disconnected or error, uptime in seconds."""
        state = PROBE.state().state
        body = {
            "status": "ok" if state == CONNECTED else "degraded",
            "timestamp": datetime.now(UTC),
            "database": state,
            "uptime": round(time.monotonic() - STARTED, 3),
        }
        return Response(LiveSerializer.render(body))


@readiness_check(DATABASE)
def check_database() -> PartState:
    """The database answers, and `prepare` of this release has been there."""
    now = PROBE.state()
    return PartState({"database": now.state}, DOWN if now.problem else READY, now.problem)


@readiness_check("broker", asks_database=False)
def check_broker() -> PartState:
    """Redis answers."""
    try:
        scheduler_heartbeat.broker().ping()
    except (redis.RedisError, OSError):
        problem = "Redis does not answer; look at REDIS_URL and at its server."
        return PartState({"broker": "disconnected"}, DOWN, problem)
    return PartState({"broker": "connected"})


@readiness_check("scheduler", asks_database=False)
def check_scheduler() -> PartState:
    """A scheduler gives signs of life."""
    try:
        alive = scheduler_heartbeat.is_alive()
    except (redis.RedisError, OSError):
        return PartState({"scheduler": "unknown"}, DEGRADED, "Redis, which has its heartbeat, does not answer.")
    return PartState({"scheduler": "alive"}) if alive else PartState({"scheduler": "missing"}, DEGRADED, NO_SCHEDULER)


class ReadyView(PublicView):
    """`/readyz`: all that work needs is there."""

    @extend_schema(
        summary="Say whether work can be done", responses={200: OpenApiTypes.OBJECT, 503: OpenApiTypes.OBJECT}
    )
    def get(self, request: ApiRequest) -> Response:
        """200 when each part that work needs answers (`ready`, or `degraded`), else 503; `problems` says what to do."""
        now = readiness()
        body = {"status": now.state, "timestamp": iso(datetime.now(UTC)), **now.values, "problems": now.problems}
        return Response(body, status=503, headers={"Retry-After": "2"}) if now.state == DOWN else Response(body)


class SystemHealthView(PublicView):
    """`/api/v1/system/health` and `/api/v1/observability/health` (seed 004): how the parts are."""

    @extend_schema(summary="Get the health of all parts", responses=SystemHealthSerializer)
    def get(self, request: ApiRequest) -> Response:
        """status healthy, degraded (no work is done just now) or unhealthy (nothing can be kept); each part."""
        now = readiness()
        status = "healthy" if now.state == READY else "degraded"
        status = status if now.values["database"] == "connected" else "unhealthy"
        uptime = round(time.monotonic() - STARTED, 3)
        body = {"status": status, "timestamp": datetime.now(UTC), "uptime": uptime, "services": now.values}
        return Response(SystemHealthSerializer.render(body))


class MetricsView(ApiView):
    """`/metrics`: the processes' metrics for Prometheus, over all tenants and so for operators alone."""

    permission_classes = (Operators,)

    @extend_schema(summary="Get the processes' metrics", responses={(200, "text/plain"): OpenApiTypes.STR})
    def get(self, request: ApiRequest) -> HttpResponse:
        """Prometheus text: the counts of all processes together, and the gauges of this moment."""
        reports.report_now()
        return HttpResponse(metrics.exposition(reports.totals()), content_type=metrics.CONTENT_TYPE)


@csrf_exempt
def unknown_path(request: HttpRequest) -> HttpResponse:
    """The façade's own 404, also while DEBUG is on."""
    return handler404(request)
