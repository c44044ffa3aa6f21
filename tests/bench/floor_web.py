"""The floors of the HTTP path: bare DRF views that insert one row, on the product's own server and settings."""

import os
import uuid
from io import BytesIO
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
import django

django.setup()

from django.db import models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework.request import Request  # noqa: E402
from rest_framework.response import Response  # noqa: E402
from rest_framework.views import APIView  # noqa: E402

from config.asgi import Application  # noqa: E402
from orchestration.models import Run  # noqa: E402


class BareRow(models.Model):
    """As little as a submitted piece of work can be."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    payload = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "bench"
        db_table = "bench_row"

    def __str__(self) -> str:
        return str(self.pk)


class BareView(APIView):
    """No authentication, no checks."""

    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Request) -> Response:
        """201 and the new row's id."""
        row = BareRow.objects.create(payload=request.data)
        return Response({"id": str(row.pk)}, status=201)


class BareRunView(BareView):
    """The same with a run's row, which has forty columns and seven indexes; no engine takes it up."""

    def post(self, request: Request) -> Response:
        """201 and the new row's id."""
        row = Run.all_tenants.create(tenant_id="bench", kind="bench.floor", input=request.data)
        return Response({"id": str(row.pk)}, status=201)


urlpatterns = [path("bare", BareView.as_view()), path("bare-run", BareRunView.as_view())]


class BareApplication(Application):
    """The product's application with this file's routes."""

    def create_request(self, scope: dict[str, Any], body_file: BytesIO) -> Any:
        """Django's request, to be routed here."""
        request, refusal = super().create_request(scope, body_file)
        if request is not None:
            request.urlconf = __name__
        return request, refusal


application = BareApplication()
