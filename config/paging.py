"""Lists, as the contracts write them: {data, meta} by page, or a bare array with its total in X-Total-Count."""

from typing import Any

from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from config.errors import Invalid

MOST = 1000


def number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query, clamped; a 400 when it is none."""
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    try:
        value = int(text[:40])
    except ValueError:
        raise Invalid({name: [f"Must be a whole number from {least} to {most}."]}) from None
    return min(max(value, least), most)


def _parameter(name: str, default: int, least: int, most: int | None) -> dict[str, Any]:
    schema = {"type": "integer", "default": default, "minimum": least} | ({"maximum": most} if most else {})
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _count(rows: Any) -> int:
    return rows.count() if isinstance(rows, QuerySet) else len(rows)


class PagePagination(BasePagination):
    """`?page=&limit=` → {data, meta: {page, limit, total, totalPages}}; what is out of range is clamped."""

    default_limit, most = 20, MOST

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows of the page asked for."""
        self.limit = number(request, "limit", getattr(view, "default_limit", self.default_limit), 1, self.most)
        self.total = _count(queryset)
        self.pages = -(-self.total // self.limit)
        self.page = number(request, "page", 1, 1, max(self.pages, 1))
        start = (self.page - 1) * self.limit
        return list(queryset[start : start + self.limit])

    def get_paginated_response(self, data: Any) -> Response:
        """The page as the contract writes it."""
        meta = {"page": self.page, "limit": self.limit, "total": self.total, "totalPages": self.pages}
        return Response({"data": data, "meta": meta})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of a page."""
        meta = {key: {"type": "integer"} for key in ("page", "limit", "total", "totalPages")}
        meta_schema = {"type": "object", "properties": meta, "required": list(meta)}
        return {"type": "object", "required": ["data", "meta"], "properties": {"data": schema, "meta": meta_schema}}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The OpenAPI parameters of a page."""
        default = getattr(view, "default_limit", self.default_limit)
        return [_parameter("page", 1, 1, None), _parameter("limit", default, 1, self.most)]


class TenPerPage(PagePagination):
    """Pages of ten."""

    default_limit = 10


class ArrayPagination(BasePagination):
    """`?limit=&offset=` → a bare array; X-Total-Count tells how many there are in all."""

    default_limit, most = 100, MOST

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """The rows asked for."""
        limit = number(request, "limit", getattr(view, "default_limit", self.default_limit), 1, self.most)
        self.total = _count(queryset)
        offset = number(request, "offset", 0, 0, self.total)
        return list(queryset[offset : offset + limit])

    def get_paginated_response(self, data: Any) -> Response:
        """The array."""
        return Response(data, headers={"X-Total-Count": str(self.total)})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of the array."""
        return schema

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The OpenAPI parameters of the array."""
        default = getattr(view, "default_limit", self.default_limit)
        return [_parameter("limit", default, 1, self.most), _parameter("offset", 0, 0, None)]
