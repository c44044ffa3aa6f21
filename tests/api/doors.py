"""A URLconf with one view under every façade, which takes a body and raises what the query asks for."""

from typing import Any

import psycopg
from django.db import DataError, InterfaceError, OperationalError
from django.http import Http404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from config import errors
from config.http import fields
from config.http.health_views import unknown_path
from config.http.viewsets import route, valid

RAISED: dict[str, Any] = {
    "database": OperationalError("connection refused"),
    "interface": InterfaceError("connection already closed"),
    "driver": psycopg.OperationalError("server closed the connection"),
    "data": DataError("integer out of range"),
    "fault": RuntimeError("Bearer abcdefghij is in here"),
    "missing": errors.WorkflowNotFound(workflow_id="w"),
    "django": Http404(),
    "forbidden": errors.Forbidden(),
    "conflict": errors.Conflict("In use.", api_key="llm_" + "k" * 43, used_by={"password": "p", "prompt_tokens": 5}),
    "limited": errors.RateLimited(retry_after=7),
    "long": errors.DomainError("x" * 5000, input="y" * 5000),
    "invalid": errors.Invalid({"name": ["Is taken."]}),
}


class Item(serializers.Serializer):
    """A thing in a list."""

    count = fields.IntegerField()


class Body(serializers.Serializer):
    """One field of every strict kind."""

    name = fields.CharField(required=False, max_length=250)
    count = fields.IntegerField(required=False)
    share = fields.FloatField(required=False)
    on = fields.BooleanField(required=False)
    colour = fields.ChoiceField(choices=["red", "1"], required=False)
    api_key = fields.ChoiceField(choices=["a"], required=False)
    id = fields.UUIDField(required=False)
    at = fields.DateTimeField(required=False)
    day = fields.DateField(required=False)
    config = fields.ObjectField(required=False)
    items = serializers.ListField(child=Item(), required=False)


class Door(APIView):
    """Answers with the valid body."""

    authentication_classes = ()
    permission_classes = ()

    def get(self, request: Request) -> Response:
        """Raise what ?raise= names."""
        raise RAISED[request.query_params["raise"]]

    def post(self, request: Request) -> Response:
        """The checked body."""
        return Response(valid(Body, request).validated_data)


PREFIXES = ["api/v1/things", "api/v1/teams", "api/ai/jobs", "tasks", "health"]
handler400 = "config.http.error_handler.handler400"
handler404 = "config.http.error_handler.handler404"
handler500 = "config.http.error_handler.handler500"
urlpatterns = [*(route(prefix, Door.as_view()) for prefix in PREFIXES), route(".*", unknown_path)]
