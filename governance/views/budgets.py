"""/api/v1/budgets: standing limits by day and month, and what is spent, held and left (RULINGS §7)."""

from typing import Any

from django.db import IntegrityError, transaction
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.models import Role
from config.errors import Conflict, NotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, ResourceViewSet
from governance.budgets import budget_limits
from governance.models import Budget, BudgetLimit
from governance.serializers.budgets import BudgetQuery, BudgetSerializer, BudgetShape, run_budget_json


class BudgetNotFound(NotFound):
    """There is no such budget."""


class BudgetViewSet(ResourceViewSet):
    """Budgets: of the tenant, its users, apps, teams and agents; with scope=run those of single runs, to read."""

    model, not_found = BudgetLimit, BudgetNotFound
    serializer_class = BudgetSerializer
    pagination_class = ArrayPagination
    roles = {"read": Role.DEVELOPER, "write": Role.ADMIN}

    @extend_schema(parameters=[BudgetQuery], responses=BudgetShape(many=True))
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """A bare array, the newest first."""
        asked = {name: value for name, value in query_of(BudgetQuery, request).items() if value}
        if asked.get("scope") == "run":
            rows = Budget.objects.for_tenant(request.tenant).filter(limit_id=None, **asked).order_by("-pk")
            return self.get_paginated_response([run_budget_json(row) for row in self.paginate_queryset(rows) or ()])
        page = self.paginate_queryset(self.get_queryset().filter(**asked))
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    @extend_schema(request=BudgetSerializer, responses={201: BudgetShape})
    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the budget; it holds from the next model call on, and counts from then on."""
        try:
            with transaction.atomic():
                made = self.valid().save(tenant=request.tenant, created_by=request.user.pk)
        except IntegrityError:
            raise Conflict("There is a budget of this scope and period already; change that one.") from None
        return Response(self.get_serializer(made).data, status=201)

    @extend_schema(responses=BudgetShape)
    def retrieve(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The budget."""
        return super().retrieve(request, *args, **kwargs)

    @extend_schema(request=BudgetSerializer, responses=BudgetShape)
    def update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The budget with new amounts, which hold at once; what it is about stays."""
        found = self.get_object()
        changes = dict(self.valid(instance=found, partial=True).validated_data)
        for name in ("cost_limit_micro", "calls_limit"):
            setattr(found, name, changes.get(name, getattr(found, name)))
        budget_limits.save_limit(found)
        return Response(self.get_serializer(found).data)

    @extend_schema(request=BudgetSerializer, responses=BudgetShape)
    def partial_update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The same as update."""
        return self.update(request, *args, **kwargs)
