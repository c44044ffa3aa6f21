"""What OPTIONS tells of a resource."""

from typing import Any

from rest_framework.metadata import SimpleMetadata

from config.http.api_request import ApiRequest


class Metadata(SimpleMetadata):
    """What it is, and which methods it takes; its fields are in /openapi.json."""

    def determine_metadata(self, request: ApiRequest, view: Any) -> dict[str, Any]:
        """{name, description, methods}."""
        metadata = {"name": view.get_view_name(), "description": view.get_view_description()}
        return metadata | {"methods": view.allowed_methods}
