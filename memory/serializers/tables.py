"""Bodies of the tables of a tenant's data store (RULINGS §8)."""

from rest_framework import serializers

from config.http.fields import CharField, ChoiceField, ObjectField
from config.http.serializers import ResponseSerializer
from memory.datastore.tables import MODES, Table

MAX_ROWS = 100_000


class TableRequest(serializers.Serializer):
    """POST /data/tables: rows as objects, or the fields of a CSV upload beside `file`."""

    example = {"name": "stock", "rows": [{"item": "soap", "left": 9}, {"item": "towel", "left": 3}]}

    name = CharField(max_length=63)
    mode = ChoiceField(MODES, default="create", help_text="append and replace need no table of that name to exist.")
    rows = serializers.ListField(child=ObjectField(), max_length=MAX_ROWS, required=False)


class ColumnSerializer(ResponseSerializer):
    """A column of a table."""

    name = serializers.CharField()
    type = serializers.CharField(help_text="integer, number, boolean, date, timestamp, json or text")


class TableSerializer(ResponseSerializer):
    """A table; `rows` is their number."""

    example = Table("stock", [("item", "text"), ("left", "bigint")], 2)

    name = serializers.CharField()
    columns = ColumnSerializer(many=True, source="column_types")
    rows = serializers.IntegerField()


class LoadedColumnSerializer(ColumnSerializer):
    """A column, its key in the rows, and why it has its type."""

    source = serializers.CharField(  # type: ignore[assignment]  # a field of that name, which DRF keeps apart
        allow_null=True, help_text="Its key or header; null when the rows have none for it."
    )
    reason = serializers.CharField()


class LoadedTableSerializer(ResponseSerializer):
    """A table after a load."""

    example = TableSerializer.example

    name = serializers.CharField()
    columns = LoadedColumnSerializer(many=True, source="load_report")
    rows = serializers.IntegerField()
    notes = serializers.ListField(
        child=serializers.CharField(), help_text="Which names differ from those of the rows, and why; the encoding."
    )
