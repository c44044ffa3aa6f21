"""What agents and tools have in common: ids that the client chooses, and built-in ones that nobody changes."""

import uuid
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from rest_framework.response import Response

from accounts.models import Role
from agents.errors import BuiltInReadOnly
from config.errors import DomainError
from config.http.api_request import ApiRequest
from config.http.viewsets import ArrayPagination, ResourceViewSet


class KeyedViewSet(ResourceViewSet):
    """List, read, create or replace by id, update in part, delete."""

    lookup_field = "key"
    lookup_url_kwarg = "id"
    pagination_class: Any = ArrayPagination
    http_method_names = ["get", "head", "options", "post", "put", "patch", "delete"]
    roles: ClassVar = {"read": Role.USER, "write": Role.DEVELOPER, "execute": Role.USER}
    errors: ClassVar[Mapping[str, tuple[type[DomainError], ...]]] = dict.fromkeys(
        ("create", "update", "partial_update", "destroy"), (BuiltInReadOnly,)
    )

    serializer: Any = None  # the serializer of the last create

    @abstractmethod
    def built_in(self) -> list[Any]:
        """The built-in ones as rows that are not saved."""

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """By id."""
        return rows.order_by("key")

    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """A bare array: the built-in ones, then the tenant's own."""
        rows = [*self.built_in(), *self.filter_queryset(self.get_queryset())]
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def get_object(self) -> Any:
        """The row of the URL's id; a built-in one may only be read."""
        shared = next((row for row in self.built_in() if row.key == self.kwargs["id"]), None)
        if shared is None:
            return super().get_object()
        if self.action != "retrieve":
            raise BuiltInReadOnly(id=shared.key)
        return shared

    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the row, new or replaced."""
        self.serializer = self.valid()
        fields = dict(self.serializer.validated_data)
        key = fields.pop("key", None) or str(uuid.uuid4())
        if any(row.key == key for row in self.built_in()):
            raise BuiltInReadOnly(id=key)
        new_fields = fields | {"created_by": request.user.pk}
        rows: QuerySet[Any] = self.model.objects.for_tenant(request.tenant)
        if earlier := rows.filter(key=key).first():
            self.note_before(earlier, "update")
        row, _ = rows.update_or_create(tenant=request.tenant, key=key, defaults=fields, create_defaults=new_fields)
        return Response(self.get_serializer(row).data, status=201)
