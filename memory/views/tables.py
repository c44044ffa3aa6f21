"""/api/v1/data/tables: the tenant's own tables, which the NL-DB tools read and write (RULINGS §8)."""

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.models import Role
from config.errors import Conflict, Invalid
from config.http.api_request import ApiRequest
from config.http.parsers import LimitedMultiPartParser, StrictJSONParser
from config.http.serializers import MessageSerializer
from config.http.viewsets import ArrayPagination, TenantViewSet, body_object
from memory.datastore import tables
from memory.datastore.sheets import Sheet, csv_sheet, object_sheet
from memory.models import DataStore
from memory.serializers.tables import LoadedTableSerializer, TableRequest, TableSerializer


class TableViewSet(TenantViewSet):
    """Tables: developers make and drop them, every member reads what there is."""

    model, noun = DataStore, "table"
    errors = {"create": (Conflict,)}
    serializer_class = TableSerializer
    parser_classes = [StrictJSONParser, LimitedMultiPartParser]
    pagination_class = ArrayPagination
    body_limit = settings.FILE_BODY_LIMIT
    roles = {"read": Role.USER, "write": Role.DEVELOPER}

    @extend_schema(responses=TableSerializer(many=True))
    def list(self, request: ApiRequest) -> Response:
        """The tables by name, each with its columns and the number of its rows."""
        page = self.paginate_queryset(tables.list_tables(request.tenant.pk))
        return self.get_paginated_response(TableSerializer.render_all(page))

    @extend_schema(summary="Load one table", request=TableRequest, responses={201: LoadedTableSerializer})
    def create(self, request: ApiRequest) -> Response:
        """201 and the table: the type of each column, and why it has it; notes on names and on the file."""
        body = self.valid(TableRequest).validated_data
        upload = body_object(request).get("file")
        if upload is None and "rows" not in body:
            raise Invalid({"rows": ["Send rows, or a CSV as the file of a multipart form."]})
        sheet = object_sheet(body["rows"]) if upload is None else _sheet(upload)
        table = tables.load_sheet(request.tenant.pk, body["name"], sheet, body["mode"])
        return Response(LoadedTableSerializer.render(table), status=201)

    @extend_schema(responses={200: MessageSerializer})
    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """Drop the table."""
        tables.drop_table(request.tenant.pk, pk)
        return Response({"message": f"Table {pk} deleted"})


def _sheet(upload: Any) -> Sheet:
    """The rows of the uploaded file."""
    if not isinstance(upload, UploadedFile) or upload.file is None:
        raise Invalid({"file": ["Must be an uploaded CSV file."]})
    return csv_sheet(upload.file)
