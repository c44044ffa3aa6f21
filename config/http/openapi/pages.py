"""The API's documentation: /openapi.json, /docs and /redoc, for everybody, with nothing loaded from elsewhere."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.templatetags.static import static
from django.utils.html import format_html
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerView
from rest_framework.response import Response

from config.http.api_request import ApiRequest
from config.http.openapi.document import document
from config.http.viewsets import ApiView

DOCUMENT = "/openapi.json"
# The viewers' bundles name logos and fonts on other servers; a browser that reads this leaves them alone.
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; worker-src 'self' blob:"
)
REDOC = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title><style>body {{ margin: 0 }}</style></head>
<body><redoc spec-url="{}"></redoc><script src="{}"></script></body>
</html>
"""


class OpenAPIView(ApiView):
    """`/openapi.json`."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: ApiRequest) -> HttpResponse:
        """The document."""
        return HttpResponse(document(), content_type="application/json")


class SwaggerView(SpectacularSwaggerView):
    """`/docs`."""

    authentication_classes = ()
    permission_classes = ()
    url = DOCUMENT

    @extend_schema(exclude=True)
    def get(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The page."""
        response = super().get(request, *args, **kwargs)
        response["Content-Security-Policy"] = POLICY
        return response


class RedocView(ApiView):
    """`/redoc`."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(exclude=True)
    def get(self, request: ApiRequest) -> HttpResponse:
        """The page."""
        script = static("drf_spectacular_sidecar/redoc/bundles/redoc.standalone.js")
        page = format_html(REDOC, settings.SPECTACULAR_SETTINGS["TITLE"], DOCUMENT, script)
        return HttpResponse(page, headers={"Content-Security-Policy": POLICY})
