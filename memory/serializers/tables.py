"""The shapes of a table of the tenant's data store (RULINGS §8)."""

from rest_framework import serializers

from config.http.fields import CharField, ChoiceField, ObjectField
from memory.datastore.tables import MODES

MAX_ROWS = 100_000


class NewTable(serializers.Serializer):
    """POST /data/tables: rows as objects, or the fields of a CSV upload beside `file`."""

    name = CharField(max_length=63)
    mode = ChoiceField(MODES, default="create", help_text="append and replace need no table of that name to exist.")
    rows = serializers.ListField(child=ObjectField(), max_length=MAX_ROWS, required=False)


class ColumnShape(serializers.Serializer):
    """A column of a table."""

    name = serializers.CharField()
    type = serializers.CharField(help_text="integer, number, boolean, date, timestamp, json or text")


class TableShape(serializers.Serializer):
    """A table; `rows` is their number."""

    name = serializers.CharField()
    columns = ColumnShape(many=True)
    rows = serializers.IntegerField()


class LoadedColumn(ColumnShape):
    """A column, what the rows call it, and why it has its type."""

    source = serializers.CharField(  # type: ignore[assignment]  # a field of that name, which DRF keeps apart
        allow_null=True, help_text="Its key or header; null when the rows have none for it."
    )
    reason = serializers.CharField()


class LoadedTable(TableShape):
    """A table after a load."""

    columns = LoadedColumn(many=True)
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="What is called otherwise than in the rows, and why; the encoding."
    )
