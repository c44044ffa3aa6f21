"""Fields of jobs and of the inputs of their agents."""

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.http.fields import ObjectField
from config.values.json_types import Json

MAX_LENGTH = 255


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}]})
class IdField(serializers.Field):
    """The id of something in the caller's own system: a number, or a text."""

    def to_internal_value(self, data: Json) -> int | str:
        """The id; ValidationError for another type, or a text that is empty or too long."""
        if isinstance(data, bool) or not isinstance(data, int | str) or not 0 < len(str(data)) <= MAX_LENGTH:
            raise serializers.ValidationError(
                f"Must be a number, or a text of 1 to {MAX_LENGTH} characters.", "invalid"
            )
        return data

    def to_representation(self, value: int | str) -> int | str:
        """The id as it came."""
        return value


class Items(serializers.ListField):
    """An array of JSON objects."""

    child = ObjectField()
    default_error_messages = {"not_a_list": "Must be an array of objects."}
