"""Pages of lists as seed 001 has them."""

from typing import Any

from rest_framework.response import Response

from config.http.paging import ArrayPagination, PagePagination

MAX_LIMIT = 100


class TeamPages(PagePagination):
    """`?page=&limit=` → {items, total, page, limit, pages}."""

    default_limit, most = 10, MAX_LIMIT

    def get_paginated_response(self, data: Any) -> Response:
        """The page as the contract writes it."""
        counts = {"total": self.total.value, "page": self.page, "limit": self.limit, "pages": self.pages}
        counts["total_is_exact"] = self.total.is_exact
        return Response({"items": data, **counts})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The OpenAPI schema of a page."""
        counts = {name: {"type": "integer"} for name in ("total", "page", "limit", "pages")}
        counts["total_is_exact"] = {"type": "boolean"}
        return {"type": "object", "required": ["items", *counts], "properties": {"items": schema} | counts}


class Executions(ArrayPagination):
    """A bare array: ten items, or `limit` of them."""

    default_limit, most = 10, MAX_LIMIT
