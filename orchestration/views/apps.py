"""/api/v1/apps: imported manifests, and actions that start runs (seed 000 §4)."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.tenancy.tenant_choice import choose_tenant
from config.errors import IdempotencyConflict
from config.http.api_request import ApiRequest
from config.http.serializers import MessageSerializer
from config.http.viewsets import ArrayPagination, TenantViewSet, body_object
from governance.policies.evaluation import PolicyDenied
from orchestration.manifests.apps import ActionNotFound, AppNotFound, action_call, import_app
from orchestration.models import App, Status
from orchestration.runs.commands import start_run
from orchestration.runs.idempotency import IDEMPOTENCY_KEY, answer, caller_fields, idempotency
from orchestration.serializers.apps import (
    ActionRequest,
    ActionSerializer,
    AppScopesSerializer,
    AppSerializer,
    ManifestRequest,
    StartedActionSerializer,
    actions_of,
)


class AppViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Apps: developers import them, every member runs their actions."""

    model, not_found = App, AppNotFound
    serializer_class = AppSerializer
    pagination_class = ArrayPagination
    lookup_field = "key"
    lookup_url_kwarg = "id"
    errors = {"run": (ActionNotFound, PolicyDenied, IdempotencyConflict)}
    roles = {"read": Role.USER, "write": Role.DEVELOPER, "run": Role.USER}

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """By id."""
        return rows.order_by("key")

    @extend_schema(summary="Import an app", request=ManifestRequest, responses={201: AppSerializer})
    @action(detail=False, methods=["post"], url_path="import")
    def import_manifest(self, request: ApiRequest) -> Response:
        """The app, made or replaced with all its parts."""
        app = import_app(request.tenant.pk, body_object(request), request.user.pk)
        return Response(AppSerializer.render(app), status=201)

    @extend_schema(responses={200: MessageSerializer})
    def destroy(self, request: ApiRequest, id: str) -> Response:
        """Delete the app; its workflows and runs stay."""
        self.get_object().delete()
        return Response({"message": "App deleted"})

    @extend_schema(summary="List an app's actions", responses=ActionSerializer(many=True))
    @action(detail=True)
    def actions(self, request: ApiRequest, id: str) -> Response:
        """The app's actions."""
        page = self.paginate_queryset(actions_of(self.get_object()))
        return self.get_paginated_response(ActionSerializer.render_all(page))

    @extend_schema(summary="List what an app may touch", responses=AppScopesSerializer)
    @action(detail=True)
    def scopes(self, request: ApiRequest, id: str) -> Response:
        """What the app may touch."""
        return Response(AppScopesSerializer.render(self.get_object()))

    @extend_schema(
        operation_id="apps_run_action",
        summary="Run an app's action",
        parameters=[IDEMPOTENCY_KEY],
        request=ActionRequest,
        responses={201: StartedActionSerializer},
    )
    @action(detail=True, methods=["post"], url_path="actions/(?P<action_id>[^/]+)")
    def run(self, request: ApiRequest, id: str, action_id: str) -> Response:
        """Start the action's workflow with the mapped input; the answer comes at once."""
        trigger = self.valid(ActionRequest).validated_data
        choose_tenant(request._request, trigger["context"])
        app = self.get_object()
        call = action_call(app, action_id, trigger["event"], trigger["context"])
        run, created = start_run(
            tenant_id=request.tenant.pk,
            kind="workflow",
            subject_id=call.current.workflow_id,
            subject_version=call.current.revision,
            rules_stamp=call.current.rules_stamp,
            input=call.input,
            coerce=call.current.fit("input."),
            mode=call.mode,
            trigger=call.trigger,
            app_id=app.key,
            app_action_id=action_id,
            **caller_fields(request),
            **idempotency(request),
        )
        row = {"run_id": run.id, "status": Status.PENDING, "workflow_id": run.subject_id}
        row |= {"app_id": app.key, "app_action_id": action_id, "warnings": call.warnings}
        return answer(StartedActionSerializer.render(row), created)
