"""/api/v1/data/tables: the tenant's own tables, which the NL-DB tools read and write (RULINGS §8)."""

import io
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import Role
from config.api import ArrayPagination, TenantViewSet, body_object
from config.errors import Invalid
from config.parsers import LimitedMultiPartParser, StrictJSONParser
from memory.datastore import tables
from memory.datastore.inference import csv_rows
from memory.models import DataStore
from memory.serializers.tables import NewTable, TableShape


class TableViewSet(TenantViewSet):
    """Tables: developers make and drop them, every member reads what there is."""

    model = DataStore
    serializer_class = TableShape
    parser_classes = [StrictJSONParser, LimitedMultiPartParser]
    pagination_class = ArrayPagination
    body_limit = settings.FILE_BODY_LIMIT
    roles = {"read": Role.USER, "write": Role.DEVELOPER}

    @extend_schema(responses=TableShape(many=True))
    def list(self, request: Request) -> Response:
        """The tables by name, each with its columns and the number of its rows."""
        page = self.paginate_queryset(tables.list_tables(request.tenant.pk))
        return self.get_paginated_response([table.json() for table in page or ()])

    @extend_schema(request=NewTable, responses={201: TableShape})
    def create(self, request: Request) -> Response:
        """201 and the table; the types of its columns are those that all values fit."""
        given = self.valid(NewTable).validated_data
        upload = body_object(request).get("file")
        if upload is None and "rows" not in given:
            raise Invalid({"rows": ["Send rows, or a CSV as the file of a multipart form."]})
        rows: Any = given.get("rows") if upload is None else csv_rows(_text(upload))
        table = tables.load_table(request.tenant.pk, given["name"], rows, given["mode"], from_text=upload is not None)
        return Response(table.json(), status=201)

    @extend_schema(responses={200: {"type": "object", "properties": {"message": {"type": "string"}}}})
    def destroy(self, request: Request, pk: str) -> Response:
        """Drop the table."""
        tables.drop_table(request.tenant.pk, pk)
        return Response({"message": f"Table {pk} deleted"})


def _text(upload: Any) -> io.StringIO:
    """The uploaded file as text."""
    if not isinstance(upload, UploadedFile):
        raise Invalid({"file": ["Must be an uploaded CSV file."]})
    try:
        text = upload.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Invalid({"file": ["Must be UTF-8."]}) from None
    if "\x00" in text:
        raise Invalid({"file": ["Must not hold NUL characters."]})
    return io.StringIO(text, newline="")
