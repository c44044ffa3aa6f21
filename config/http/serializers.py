"""Serializers of responses: one declaration that renders rows and documents them in /openapi.json."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any, ClassVar, NamedTuple

from rest_framework import serializers

from config.http.fields import iso
from config.values.json_types import Json, JsonObject

Convert = Callable[[Any], Json]
# Fields whose values are JSON as they are; every other field converts by its to_representation.
PLAIN_FIELDS = (
    *(serializers.BooleanField, serializers.IntegerField, serializers.FloatField, serializers.ChoiceField),
    *(serializers.JSONField, serializers.DictField, serializers.ListField),
)


class Column(NamedTuple):
    """One field as `render` needs it."""

    name: str
    read: Callable[[Any], Any]  # from a row that is an object
    read_item: Callable[[Any], Any]  # from a row that is a mapping
    convert: Convert | None
    optional_key: str  # left out where a mapping lacks it; "" = always there


class ResponseSerializer(serializers.Serializer):
    """Renders objects or mappings; it never takes input.

    DRF copies and binds every field for each serializer, and asks each field of each row a dozen questions. `render`
    asks the class once: a run takes 6 µs instead of 60. A field that may be absent from a row says `required=False`.
    """

    example: ClassVar[Any] = None  # a row, for the document; rendered by this class

    @classmethod
    def render(cls, row: Any) -> JsonObject:
        """The JSON object of one row, its keys in the order of the fields."""
        body = {}
        is_mapping = isinstance(row, Mapping)
        for name, read, read_item, convert, optional_key in columns_of(cls):
            if is_mapping and optional_key and optional_key not in row:
                continue
            value = read_item(row) if is_mapping else read(row)
            body[name] = value if value is None or convert is None else convert(value)
        return body

    @classmethod
    def render_all(cls, rows: Iterable[Any] | None) -> list[JsonObject]:
        """The JSON array of some rows."""
        return [cls.render(row) for row in rows or ()]

    def to_representation(self, instance: Any) -> JsonObject:
        """The same for DRF."""
        return self.render(instance)


class MessageSerializer(ResponseSerializer):
    """A sentence about what was done."""

    example = {"message": "Done"}

    message = serializers.CharField()


class StatusMessageSerializer(ResponseSerializer):
    """A sentence about what was done, as seed 001 has it."""

    example = {"status": "success", "message": "Done"}

    status = serializers.CharField()
    message = serializers.CharField()


@cache
def columns_of(serializer: type[ResponseSerializer]) -> list[Column]:
    """The serializer's fields as columns."""
    instance = serializer()
    return [_column(name, field, instance) for name, field in serializer._declared_fields.items()]


def _column(name: str, field: serializers.Field, owner: ResponseSerializer) -> Column:
    if isinstance(field, serializers.SerializerMethodField):
        method = getattr(owner, field.method_name or f"get_{name}")
        return Column(name, method, method, None, "")
    source = field.source or name
    if source == "*":
        return Column(name, _whole_row, _whole_row, _convert(field), "")
    optional = not field.required and not field.read_only
    return Column(name, attrgetter(source), itemgetter(source), _convert(field), source if optional else "")


def _whole_row(row: Any) -> Any:
    return row


def _convert(field: serializers.Field) -> Convert | None:
    if isinstance(field, serializers.ListSerializer):
        child = field.child
        return type(child).render_all if isinstance(child, ResponseSerializer) else field.to_representation
    if isinstance(field, ResponseSerializer):
        return type(field).render
    if type(field).to_representation is serializers.CharField.to_representation:
        return _text
    if isinstance(field, serializers.UUIDField):
        return _text
    if isinstance(field, serializers.DateTimeField):
        return _moment
    if isinstance(field, PLAIN_FIELDS) and type(field).__module__.startswith("rest_framework"):
        return None
    return field.to_representation


def _text(value: Any) -> str:
    return value if type(value) is str else str(value)


def _moment(value: Any) -> Json:
    return value if isinstance(value, str) else iso(value)
