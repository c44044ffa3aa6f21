"""Query parameters: those that an operation lists are checked, all others ignored, as unknown fields of bodies are."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request


class FlagField(serializers.BooleanField):
    """A yes or no, as texts have it."""

    default_error_messages = {"invalid": 'Must be true or false, not "{input}".'}


def query_of(serializer: type[serializers.Serializer], request: Request) -> dict[str, Any]:
    """The query's parameters that the serializer knows; Invalid names each that has a value it cannot have."""
    checked = serializer(data=request.query_params.dict())
    checked.is_valid(raise_exception=True)
    return dict(checked.validated_data)
