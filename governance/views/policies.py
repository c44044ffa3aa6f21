"""/api/v1/policies: rules as data, what they decided, and what a candidate would have changed (seed 000 §9)."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.tenancy.tenant_model import everywhere
from config.errors import Forbidden, NotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import FlagFilter, query_of
from config.http.viewsets import ArrayPagination, ResourceViewSet, body_object
from config.values.json_types import JsonObject
from governance.models import Policy, PolicyDecision, Scope
from governance.policies.backtest import backtest
from governance.serializers.policies import (
    BacktestRequest,
    BacktestSerializer,
    DecisionQuery,
    DecisionSerializer,
    PolicySerializer,
)

ONE_OF_SCOPES = f'Must be one of {", ".join(Scope.values)}, not "%(value)s".'


class PolicyNotFound(NotFound):
    """There is no such policy."""


class PolicyFilter(filters.FilterSet):
    """GET /policies?scope=&scope_id=&enabled=&shadow="""

    scope = filters.ChoiceFilter(choices=Scope.choices, error_messages={"invalid_choice": ONE_OF_SCOPES})
    enabled, shadow = FlagFilter(), FlagFilter()

    class Meta:
        model = Policy
        fields = ("scope_id",)


class PolicyViewSet(ResourceViewSet):
    """Policies: the tenant's own, and the platform's (scope global), which operators alone write."""

    model, not_found = Policy, PolicyNotFound
    serializer_class = PolicySerializer
    pagination_class = ArrayPagination
    filterset_class = PolicyFilter
    deleted_status = 204
    roles = {"read": Role.USER, "write": Role.DEVELOPER, "decisions": Role.DEVELOPER}

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's, and the global ones."""
        tenant = getattr(self.request, "tenant", None)
        rows = Policy.all_tenants.filter(Q(tenant=tenant) | Q(tenant=None, scope=Scope.GLOBAL))
        return rows.order_by("priority", "-created_at", "id")

    @extend_schema(responses=PolicySerializer(many=True))
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The policies in the order in which they are judged."""
        return super().list(request, *args, **kwargs)

    @extend_schema(responses={201: PolicySerializer})
    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the new policy; it holds from the next action on."""
        policy = self._new(self.valid().validated_data)
        with self._reach(policy):
            policy.save(force_insert=True)
        return Response(self.get_serializer(policy).data, status=201)

    def _new(self, fields: JsonObject) -> Policy:
        """A policy that is not saved yet."""
        is_global = fields["scope"] == Scope.GLOBAL
        self._may_write(is_global)
        policy = Policy(**fields, created_by=self.request.user.pk)
        policy.tenant = None if is_global else self.request.tenant
        return policy

    def _reach(self, policy: Policy) -> AbstractContextManager[None]:
        """All tenants for operators, who write global policies, and may make one global."""
        return everywhere() if self.request.user.is_staff or policy.scope == Scope.GLOBAL else nullcontext()

    def _may_write(self, is_global: bool) -> None:
        if is_global and not self.request.user.is_staff:
            raise Forbidden("Global policies are written by the platform's operators only; use the scope tenant.")

    def update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The policy with the body's fields changed, as its next version."""
        with self._reach(self.get_object()):
            # Locked, so that no two changes make the same version of it.
            policy = self._with_body(Policy.all_tenants.select_for_update().get(pk=self.get_object().pk))
            policy.save()
            Policy.all_tenants.filter(pk=policy.pk).update(version=F("version") + 1, updated_at=timezone.now())
            policy.refresh_from_db()
        return Response(self.get_serializer(policy).data)

    def _with_body(self, policy: Policy) -> Policy:
        """The policy with the body's fields, not saved yet."""
        fields = self.valid(instance=policy, partial=True).validated_data
        self._may_write(Scope.GLOBAL in (policy.scope, fields.get("scope")))
        for name, value in fields.items():
            setattr(policy, name, value)
        policy.tenant = None if policy.scope == Scope.GLOBAL else policy.tenant or self.request.tenant
        return policy

    def perform_destroy(self, row: Policy) -> None:
        """It no longer applies from the next action on."""
        self._may_write(row.scope == Scope.GLOBAL)
        with self._reach(row):
            row.delete()

    @extend_schema(
        summary="List decisions of policies", parameters=[DecisionQuery], responses=DecisionSerializer(many=True)
    )
    @action(detail=False, filterset_class=None)
    def decisions(self, request: ApiRequest) -> Response:
        """What the policies decided for this tenant, and why; the newest first."""
        query = query_of(DecisionQuery, request)
        rows = PolicyDecision.objects.for_tenant(request.tenant).filter(**query).order_by("-id")
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(DecisionSerializer(page, many=True).data)

    @extend_schema(
        summary="Test a saved policy on past decisions", request=BacktestRequest, responses=BacktestSerializer
    )
    @action(detail=True, methods=["post"], url_path="backtest")
    def backtest_saved(self, request: ApiRequest, pk: str) -> Response:
        """What this policy, with the fields of the body changed, would have flipped; nothing is saved."""
        policy = self.get_object()
        return self._backtest(self._with_body(policy) if set(body_object(request)) - {"decisions"} else policy)

    @extend_schema(
        operation_id="policies_backtest_unsaved",
        summary="Test a policy on past decisions",
        request=PolicySerializer,
        responses=BacktestSerializer,
    )
    @action(detail=False, methods=["post"], url_path="backtest")
    def backtest_unsaved(self, request: ApiRequest) -> Response:
        """What a policy with this body would have flipped; nothing is saved."""
        return self._backtest(self._new(self.valid().validated_data))

    def _backtest(self, candidate: Policy) -> Response:
        """A global policy is asked about all tenants' decisions, so that only operators may."""
        self._may_write(candidate.scope == Scope.GLOBAL)
        query = BacktestRequest(data={name: v for name, v in body_object(self.request).items() if name == "decisions"})
        query.is_valid(raise_exception=True)
        with self._reach(candidate):
            return Response(BacktestSerializer.render(backtest(candidate, query.validated_data["decisions"])))
