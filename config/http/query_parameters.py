"""Query parameters: those that an operation lists are checked, all others ignored, as unknown fields of bodies are.

Lists whose filters are columns of one table have a FilterSet, with flags that are FlagFilters; all others a serializer.
"""

from typing import Any

from django import forms
from django_filters import rest_framework as filters
from rest_framework import serializers

from config.http.api_request import ApiRequest


class FlagField(serializers.BooleanField):
    """A yes or no, as texts have it."""

    default_error_messages = {"invalid": 'Must be true or false, not "{input}".'}


class _FlagInput(forms.Field):
    """The same as django-filter reads it, whose own flags take any text for none."""

    def to_python(self, value: Any) -> bool | None:
        """True or False, None for an empty text; a ValidationError for anything else."""
        if value in self.empty_values:
            return None
        try:
            flag: bool = FlagField().to_internal_value(value)
        except serializers.ValidationError as fault:
            raise forms.ValidationError(str(fault.detail[0])) from None  # type: ignore[index]
        return flag


class FlagFilter(filters.Filter):
    """A column that is true or false."""

    field_class = _FlagInput


def query_of(serializer: type[serializers.Serializer], request: ApiRequest) -> dict[str, Any]:
    """The query's parameters that the serializer knows; Invalid names each that has a value it cannot have."""
    query = serializer(data=request.query_params.dict())
    query.is_valid(raise_exception=True)
    return dict(query.validated_data)
