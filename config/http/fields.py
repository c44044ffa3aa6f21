"""Serializer fields that take a JSON value of their own type only: no number for a text, no text for a number."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from django.db import models
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

TYPES = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "an array",
}


def iso(moment: datetime | None) -> str | None:
    """The moment as every contract writes it: ISO 8601, UTC, ending in Z."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def only(data: Any, kind: type, *others: type) -> None:
    """Refuse a value that is not of these JSON types; a yes or no is never a number."""
    if not isinstance(data, (kind, *others)) or (isinstance(data, bool) and kind is not bool):
        raise serializers.ValidationError(f"Must be {TYPES[kind]}.", "invalid")


class CharField(serializers.CharField):
    """A text."""

    def to_internal_value(self, data: Any) -> str:
        """The text, without blanks around it."""
        only(data, str)
        return super().to_internal_value(data)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The valid text (DRF would take a value of any type for a blank one first)."""
        if data is not serializers.empty and data is not None:
            only(data, str)
        return super().run_validation(data)


class TextOrNullField(serializers.CharField):
    """A text to read, null where the row has an empty one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"allow_null": True, **kwargs})

    def to_representation(self, value: Any) -> Any:
        """The text or None."""
        return str(value) or None


class EmailField(CharField, serializers.EmailField):
    """An e-mail address."""


class URLField(CharField, serializers.URLField):
    """A URL."""


class SlugField(CharField, serializers.SlugField):
    """A slug."""


class RegexField(CharField, serializers.RegexField):
    """A text of a given form."""


class UUIDField(serializers.UUIDField):
    """A UUID, as text."""

    def to_internal_value(self, data: Any) -> Any:
        """The UUID."""
        only(data, str)
        return super().to_internal_value(data)


class IntegerField(serializers.IntegerField):
    """A whole number."""

    def to_internal_value(self, data: Any) -> int:
        """The number."""
        only(data, int)
        return super().to_internal_value(data)


class FloatField(serializers.FloatField):
    """A number."""

    def to_internal_value(self, data: Any) -> float:
        """The number."""
        only(data, float, int)
        return super().to_internal_value(data)


class BooleanField(serializers.BooleanField):
    """true or false."""

    def to_internal_value(self, data: Any) -> bool:
        """The same."""
        only(data, bool)
        return bool(data)


class ChoiceField(serializers.ChoiceField):
    """One of some texts."""

    def __init__(self, choices: Any, **kwargs: Any) -> None:
        super().__init__(choices, **kwargs)
        names = ", ".join(str(choice) for choice in self.choices)
        self.error_messages["invalid_choice"] = f'"{{input}}" is none of the choices: {names}.'

    def to_internal_value(self, data: Any) -> Any:
        """The choice."""
        only(data, str)
        return super().to_internal_value(data)


class DateTimeField(serializers.DateTimeField):
    """A moment: ISO 8601, taken for UTC when it names no offset, written in UTC with Z."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("default_timezone", UTC)
        super().__init__(**kwargs)

    def to_internal_value(self, value: Any) -> datetime:
        """The moment in UTC."""
        only(value, str)
        try:
            return super().to_internal_value(value).astimezone(UTC)
        except (OverflowError, ValueError):
            raise serializers.ValidationError("Is out of range; use a year from 1 to 9999.", "overflow") from None

    def to_representation(self, value: datetime | str | None) -> str | None:
        """The moment's text."""
        return value if isinstance(value, str) else iso(value)


class DateField(serializers.DateField):
    """A day: YYYY-MM-DD."""

    def to_internal_value(self, value: Any) -> date:
        """The day."""
        only(value, str)
        return super().to_internal_value(value)


@extend_schema_field(OpenApiTypes.OBJECT)
class ObjectField(serializers.JSONField):
    """A JSON object with keys of the caller's own."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """The object."""
        only(data, dict)
        return data


class StatusField(serializers.CharField):
    """The engine's state in the words of a contract: StatusField(words={Status.COMPLETED: "succeeded"}); read only."""

    def __init__(self, words: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        self.words = {str(state): word for state, word in (words or {}).items()}
        super().__init__(**{"read_only": True, **kwargs})

    def to_representation(self, value: Any) -> str:
        """The contract's word."""
        return self.words.get(str(value), str(value))


class StrictModelSerializer(serializers.ModelSerializer):
    """A ModelSerializer whose fields are strict."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: CharField,
        models.TextField: CharField,
        models.EmailField: EmailField,
        models.URLField: URLField,
        models.SlugField: SlugField,
        models.UUIDField: UUIDField,
        models.IntegerField: IntegerField,
        models.BigIntegerField: IntegerField,
        models.SmallIntegerField: IntegerField,
        models.PositiveIntegerField: IntegerField,
        models.PositiveBigIntegerField: IntegerField,
        models.PositiveSmallIntegerField: IntegerField,
        models.FloatField: FloatField,
        models.BooleanField: BooleanField,
        models.DateTimeField: DateTimeField,
        models.DateField: DateField,
    }
    serializer_choice_field = ChoiceField
