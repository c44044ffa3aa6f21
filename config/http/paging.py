"""Lists, as the contracts write them: {data, meta} by page, or a bare array with its total in X-Total-Count.

A page costs the same whatever is behind it: totals are exact up to MAX_COUNT, and counted no further.
"""

import time
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

from config.errors import Invalid
from config.http.api_request import ApiRequest
from config.values.numbers import whole_number

MAX_LIMIT = 1000
MAX_COUNT = 10_000
MAX_PLACE = 10**12
RECOUNT_S, MAX_KEYS = 10.0, 1_000
_beyond: dict[str, float] = {}  # queries with more than MAX_COUNT rows, and until when that need not be counted again


def number(request: ApiRequest, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query, clamped; a 400 when it is none."""
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    value = whole_number(text)
    if value is None:
        raise Invalid({name: [f"Must be a whole number from {least} to {most}."]})
    return min(max(value, least), most)


def _parameter(name: str, default: int, least: int, most: int | None) -> dict[str, Any]:
    schema = {"type": "integer", "default": default, "minimum": least} | ({"maximum": most} if most else {})
    return {"name": name, "in": "query", "required": False, "schema": schema}


@dataclass(frozen=True)
class Total:
    """How many rows there are; more than MAX_COUNT are not counted."""

    value: int
    is_exact: bool

    def headers(self) -> dict[str, str]:
        """The total of a bare array."""
        inexact = {} if self.is_exact else {"X-Total-Is-Exact": "false"}
        return {"X-Total-Count": str(self.value)} | inexact


BEYOND = Total(MAX_COUNT, is_exact=False)


def count(rows: Any) -> Total:
    """The total of a list or a query."""
    if not isinstance(rows, QuerySet):
        return Total(len(rows), is_exact=True)
    rows = rows.order_by()[: MAX_COUNT + 1]
    try:
        key = repr(rows.query.sql_with_params())
    except EmptyResultSet:
        return Total(0, is_exact=True)
    now = time.monotonic()
    if _beyond.get(key, 0.0) > now:
        return BEYOND
    number_of_rows = rows.count()
    if number_of_rows <= MAX_COUNT:
        return Total(number_of_rows, is_exact=True)
    if len(_beyond) >= MAX_KEYS:
        _beyond.clear()
    _beyond[key] = now + RECOUNT_S
    return BEYOND


def page_of(rows: Any, start: int, limit: int) -> tuple[list[Any], Total]:
    """(so many rows from there, the total); a page that is not full says the total by itself."""
    page = list(rows[start : start + limit])
    if len(page) < limit and (page or not start):
        total = start + len(page)
        return page, Total(total, is_exact=True) if total <= MAX_COUNT else BEYOND
    return page, count(rows)


class PagePagination(BasePagination):
    """`?page=&limit=` → {data, meta: {page, limit, total, totalPages}}; what is out of range is clamped."""

    default_limit, most = 20, MAX_LIMIT

    def paginate_queryset(self, queryset: Any, request: ApiRequest, view: Any = None) -> list[Any]:
        """The rows of the page asked for."""
        self.limit = number(request, "limit", getattr(view, "default_limit", self.default_limit), 1, self.most)
        self.page = number(request, "page", 1, 1, MAX_PLACE)
        page, self.total = page_of(queryset, (self.page - 1) * self.limit, self.limit)
        if not page and self.page > 1:  # behind the end, wherever that is
            last = queryset.count() if isinstance(queryset, QuerySet) else len(queryset)
            self.page = max(-(-last // self.limit), 1)
            page, _ = page_of(queryset, (self.page - 1) * self.limit, self.limit)
        self.pages = -(-self.total.value // self.limit)
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """The page as the contract writes it."""
        meta = {"page": self.page, "limit": self.limit, "total": self.total.value, "totalPages": self.pages}
        return Response({"data": data, "meta": meta | {"totalIsExact": self.total.is_exact}})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of a page."""
        meta = {key: {"type": "integer"} for key in ("page", "limit", "total", "totalPages")}
        meta["totalIsExact"] = {"type": "boolean", "description": f"False beyond {MAX_COUNT:,}: there are more."}
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
    """`?limit=&offset=` → a bare array; X-Total-Count tells how many there are in all, up to MAX_COUNT."""

    default_limit, most = 100, MAX_LIMIT

    def paginate_queryset(self, queryset: Any, request: ApiRequest, view: Any = None) -> list[Any]:
        """The rows asked for."""
        limit = number(request, "limit", getattr(view, "default_limit", self.default_limit), 1, self.most)
        page, self.total = page_of(queryset, number(request, "offset", 0, 0, MAX_PLACE), limit)
        return page

    def get_paginated_response(self, data: Any) -> Response:
        """The array."""
        return Response(data, headers=self.total.headers())

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of the array."""
        return schema

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """The OpenAPI parameters of the array."""
        default = getattr(view, "default_limit", self.default_limit)
        return [_parameter("limit", default, 1, self.most), _parameter("offset", 0, 0, None)]
