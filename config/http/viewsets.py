"""What viewsets inherit: rows narrowed to the caller's tenant, roles by action, routes with and without their slash.

class WorkflowViewSet(ResourceViewSet):
    model, not_found = Workflow, WorkflowNotFound
    serializer_class = WorkflowSerializer
    roles = {"read": Role.USER, "write": Role.DEVELOPER}  # or by action: {"execute": Role.USER}
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import URLPattern, re_path
from rest_framework import mixins, serializers
from rest_framework.pagination import BasePagination
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts.permissions import Authenticated, HasRole, OwnTenant
from accounts.tenancy.tenant_model import TenantModel
from config.errors import DomainError, Invalid, NotFound
from config.http.api_request import ApiRequest
from config.http.fields import DateTimeField, StatusField, StrictModelSerializer, iso
from config.http.paging import ArrayPagination, PagePagination, TenPerPage

__all__ = [
    "ApiView",
    "ArrayPagination",
    "DateTimeField",
    "PagePagination",
    "ResourceViewSet",
    "Router",
    "StatusField",
    "StrictModelSerializer",
    "TenPerPage",
    "TenantViewSet",
    "body_object",
    "iso",
    "route",
    "valid",
]

Errors = Mapping[str, tuple[type[DomainError], ...]]
CHANGES = frozenset({"update", "partial_update", "destroy"})


def route(path: str, view: Callable[..., Any], name: str | None = None) -> URLPattern:
    """The URL pattern of `auth/users/{id}`, which answers with and without a trailing slash by itself."""
    return re_path("^" + re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", path) + "/?$", view, name=name)


class Router(SimpleRouter):
    """A router whose routes answer with and without a trailing slash by themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"  # only here: as an argument any true value becomes "/"


def body_object(request: ApiRequest) -> dict[str, Any]:
    """The request's body, which must be a JSON object; {} when there is none."""
    data = request.data
    if isinstance(data, Mapping):
        return data  # type: ignore[return-value]
    if data is None:
        raise Invalid({"body": ["Must be a JSON object, not null."]})
    raise Invalid(
        {"body": [f"Must be a JSON object, not {'an array' if isinstance(data, list) else 'a plain value'}."]}
    )


def valid(
    serializer: type[serializers.BaseSerializer], request: ApiRequest, instance: Any = None, **options: Any
) -> serializers.BaseSerializer:
    """The serializer with the request's body checked; a VALIDATION_ERROR naming each field otherwise."""
    context = {"request": request, **options.pop("context", {})}
    checked_serializer = serializer(instance, data=body_object(request), context=context, **options)
    checked_serializer.is_valid(raise_exception=True)
    return checked_serializer


class ApiView(APIView):
    """A view whose request is typed."""

    request: ApiRequest
    errors: ClassVar[Errors] = {}  # by action (of a plain view by method): what /openapi.json adds to the usual ones

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> ApiRequest:
        """DRF's request around Django's."""
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )


class TenantViewSet(GenericViewSet, ApiView):
    """Base of every viewset: its rows are those of request.tenant, and an unknown, foreign or malformed id is a 404."""

    model: ClassVar[type[TenantModel]]
    not_found: ClassVar[type[NotFound]] = NotFound
    noun: ClassVar[str] = ""  # what one row is called in summaries; the model's verbose name when empty
    roles: ClassVar[Mapping[str, str]] = {}  # by action, else "read" (safe methods) and "write"; missing = any member
    free_body: ClassVar[bool | frozenset[str]] = False  # actions whose body is all the caller's own data
    permission_classes = [Authenticated, HasRole, OwnTenant]
    pagination_class: type[BasePagination] | None = PagePagination
    lookup_value_regex = "[^/]+"

    def get_queryset(self) -> QuerySet[Any]:
        """The tenant's rows."""
        return self.order_rows(self.model.objects.for_tenant(self.request.tenant_id))

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """The rows in the order of the pages: the model's own, else newest first when they know their time."""
        if self.model._meta.ordering:
            return rows
        has_time = any(field.name == "created_at" for field in self.model._meta.fields)
        return rows.order_by("-created_at", "-pk") if has_time else rows.order_by("pk")

    def get_object(self) -> Any:
        """The row of the URL's id."""
        name = self.lookup_url_kwarg or self.lookup_field
        row = self.find(self.filter_queryset(self.get_queryset()), **{self.lookup_field: self.kwargs[name]})
        if self.action in CHANGES and self.serializer_class is not None:
            self.note_before(row)
        return row

    def note_before(self, row: Any, action: str = "") -> None:
        """Keep the row as it is now for the audit entry of what is about to be done to it."""
        before = self.get_serializer(row).data
        self.request._request.audit = {"before": before} | ({"action": action} if action else {})

    def find(self, rows: QuerySet[Any], **key: Any) -> Any:
        """The one row with this key; the resource's own 404 when there is none, or the key is malformed."""
        try:
            if any("\x00" in str(value) for value in key.values()):
                raise ValueError
            row: Model = rows.get(**key)
        except (self.model.DoesNotExist, ValidationError, ValueError, OverflowError):
            raise self.not_found(**{name: str(value) for name, value in key.items()}) from None
        self.check_object_permissions(self.request, row)
        return row

    def valid(
        self, serializer: type[serializers.BaseSerializer] | None = None, instance: Any = None, **options: Any
    ) -> Any:
        """The serializer (this view's, when none is named) with the request's body checked."""
        context = self.get_serializer_context()
        return valid(serializer or self.get_serializer_class(), self.request, instance, context=context, **options)


class ResourceViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """List, read, create, update in part (PUT and PATCH alike) and delete the tenant's rows of one model."""

    deleted_status: ClassVar[int] = 200  # 204 where the contract says so

    def create(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """201 and the new row."""
        checked_serializer = self.valid()
        self.perform_create(checked_serializer)
        return Response(checked_serializer.data, status=201)

    def perform_create(self, serializer: Any) -> None:
        """Save the new row for the caller's tenant."""
        serializer.save(tenant=self.request.tenant)

    def update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The row with the fields of the body changed and the others left."""
        checked_serializer = self.valid(instance=self.get_object(), partial=True)
        self.perform_update(checked_serializer)
        return Response(checked_serializer.data)

    def partial_update(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The same as update."""
        return self.update(request, *args, **kwargs)

    def perform_update(self, serializer: Any) -> None:
        """Save the changes."""
        serializer.save()

    def destroy(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """204 and nothing, or 200 and a message."""
        self.perform_destroy(self.get_object())
        if self.deleted_status == 204:
            return Response(status=204)
        return Response({"message": f"{str(self.model._meta.verbose_name).capitalize()} deleted"})

    def perform_destroy(self, row: Any) -> None:
        """Delete the row."""
        row.delete()
