"""/api/v1/budgets: standing limits by day and month, and what is spent, held and left (RULINGS §7)."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.models import Role
from config.errors import Conflict, NotFound
from config.http.api_request import ApiRequest
from config.http.query_parameters import query_of
from config.http.viewsets import ArrayPagination, ResourceViewSet
from governance.budgets import budget_limits
from governance.models import Budget, BudgetLimit
from governance.serializers.budgets import BudgetQuery, BudgetRequest, BudgetSerializer


class BudgetNotFound(NotFound):
    """There is no such budget."""


class BudgetViewSet(ResourceViewSet):
    """Budgets: of the tenant, its users, apps, teams and agents; with scope=run those of single runs, to read."""

    model, not_found = BudgetLimit, BudgetNotFound
    serializer_class = BudgetSerializer
    pagination_class = ArrayPagination
    errors = {"create": (Conflict,)}
    roles = {"read": Role.DEVELOPER, "write": Role.ADMIN}

    @extend_schema(parameters=[BudgetQuery], responses=BudgetSerializer(many=True))
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """A bare array, the newest first."""
        query = {name: value for name, value in query_of(BudgetQuery, request).items() if value}
        rows: QuerySet[Any] = self.get_queryset().filter(**query)
        if query.get("scope") == "run":
            rows = Budget.objects.for_tenant(request.tenant).filter(limit_id=None, **query).order_by("-pk")
        return self.get_paginated_response(BudgetSerializer.render_all(self.paginate_queryset(rows)))

    @extend_schema(request=BudgetRequest, responses={201: BudgetSerializer})
    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the budget; it holds from the next model call on, and counts from then on."""
        try:
            with transaction.atomic():
                budget = self.valid(BudgetRequest).save(tenant=request.tenant, created_by=request.user.pk)
        except IntegrityError:
            raise Conflict("There is a budget of this scope and period already; change that one.") from None
        return Response(BudgetSerializer.render(budget), status=201)

    @extend_schema(request=BudgetRequest, responses=BudgetSerializer)
    def update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The budget with new amounts, which hold at once; what it is about stays."""
        budget = self.get_object()
        changes = dict(self.valid(BudgetRequest, instance=budget, partial=True).validated_data)
        for name in ("cost_limit_micro", "calls_limit"):
            setattr(budget, name, changes.get(name, getattr(budget, name)))
        budget_limits.save_limit(budget)
        return Response(BudgetSerializer.render(budget))

    @extend_schema(request=BudgetRequest, responses=BudgetSerializer)
    def partial_update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The same as update."""
        return self.update(request, *args, **kwargs)
