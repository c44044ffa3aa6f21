"""/api/v1/files (seed 000 §7): content travels in base64, in one piece or in chunks."""

import base64
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.models import Role
from accounts.permissions import has_role
from config.errors import Forbidden, Invalid, NotFound
from config.http.api_request import ApiRequest
from config.http.viewsets import ArrayPagination, TenantViewSet
from config.values.numbers import whole_number
from memory.files import file_store
from memory.files.file_store import FileNotFound, Writer
from memory.models import File, FileVersion
from memory.serializers.files import (
    ChunkSerializer,
    FileContentRequest,
    FileContentSerializer,
    FileRequest,
    FileSerializer,
    FileVersionSerializer,
)
from orchestration.manifests.apps import find_app
from orchestration.models import Run

CHUNK, MAX_CHUNK = 65_536, 1024 * 1024
VERSION = OpenApiParameter("version", int, description="A version's number; the latest without one.")


def number_from(request: ApiRequest, name: str, default: int, least: int) -> int:
    """The number of the query; a 400 when it is none, or too small."""
    text = request.query_params.get(name)
    if text is None:
        return default
    number = whole_number(text)
    if number is None or number < least:
        raise Invalid({name: [f"Must be a whole number, {least} or more."]})
    return number


class FileViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, TenantViewSet):
    """Files: every member reads the tenant's; who uploaded one, and developers, change and delete it."""

    model, not_found = File, FileNotFound
    serializer_class = FileSerializer
    pagination_class = ArrayPagination
    body_limit = settings.FILE_BODY_LIMIT

    def order_rows(self, rows: QuerySet[Any]) -> QuerySet[Any]:
        """By path."""
        return rows.order_by("path", "created_at")

    @extend_schema(parameters=[OpenApiParameter("path", str, description="The start of the paths.")])
    def list(self, request: ApiRequest, *args: Any, **kwargs: Any) -> Response:
        """The tenant's files by path, without content."""
        prefix = request.query_params.get("path", "")
        return self._list(path__startswith=prefix) if prefix else self._list()

    @extend_schema(parameters=[VERSION], responses=FileContentSerializer)
    def retrieve(self, request: ApiRequest, pk: str) -> Response:
        """The file with its content."""
        file = self.get_object()
        version = file_store.version_of(file, self._number())
        content = file_store.read_content(file, version.number)
        return Response(FileContentSerializer.render_version(file, version, content))

    def _number(self) -> int | None:
        return number_from(self.request, "version", 0, 1) or None

    @extend_schema(request=FileRequest, responses={201: FileSerializer})
    def create(self, request: ApiRequest) -> Response:
        """201 and the new file."""
        fields = self.valid(FileRequest).validated_data
        writer = self._writer(fields["run_id"], fields["app_id"] or "")
        file = file_store.create_file(writer, fields["path"], fields["content"], fields["mime_type"])
        return Response(FileSerializer.render(file), status=201)

    def _runs(self) -> QuerySet[Run]:
        """The runs that the caller may see."""
        return Run.objects.for_tenant(self.request.tenant).visible_to(self.request.user.pk)

    def _writer(self, run_id: Any = None, app_id: str = "") -> Writer:
        tenant_id = self.request.tenant.pk
        if run_id and not self._runs().filter(pk=run_id).exists():
            raise Invalid({"run_id": ["There is no such run."]})
        if app_id:
            try:
                find_app(tenant_id, app_id)
            except NotFound:
                raise Invalid({"app_id": ["There is no such app."]}) from None
        return Writer(tenant_id, self.request.user.pk, run_id, app_id)

    @extend_schema(request=FileContentRequest, responses=FileSerializer)
    def update(self, request: ApiRequest, pk: str) -> Response:
        """The file with its new content, one version on."""
        file = self._own()
        fields = self.valid(FileContentRequest).validated_data
        file = file_store.replace_content(file, self._writer(), fields["content"], fields["mime_type"])
        return Response(FileSerializer.render(file))

    @extend_schema(request=FileContentRequest, responses=FileSerializer)
    def partial_update(self, request: ApiRequest, pk: str) -> Response:
        """The same as update."""
        return self.update(request, pk)

    def destroy(self, request: ApiRequest, pk: str) -> Response:
        """204; the file, its versions and their bytes are gone."""
        file_store.delete_file(self._own())
        return Response(status=204)

    def _own(self) -> File:
        """The file, when the caller may change it."""
        file: File = self.get_object()
        if file.created_by != self.request.user.pk and not has_role(self.request, Role.DEVELOPER):
            raise Forbidden("Only who uploaded this file, or a developer, may change it.")
        return file

    @extend_schema(summary="List a file's versions", responses=FileVersionSerializer(many=True))
    @action(detail=True)
    def versions(self, request: ApiRequest, pk: str) -> Response:
        """The file's versions, the newest first."""
        rows = FileVersion.objects.for_tenant(request.tenant).filter(file=self.get_object()).order_by("-number")
        return self.get_paginated_response(FileVersionSerializer.render_all(self.paginate_queryset(rows)))

    @extend_schema(
        summary="Get one chunk of a file",
        parameters=[
            OpenApiParameter("chunk", int, description="From 0 on."),
            OpenApiParameter("size", int, description="Bytes of a chunk: 65536 by default, at most 1048576."),
            VERSION,
        ],
        responses=ChunkSerializer,
    )
    @action(detail=True)
    def chunks(self, request: ApiRequest, pk: str) -> Response:
        """One chunk; an empty file has one, which is empty."""
        version = file_store.version_of(self.get_object(), self._number())
        index, size = number_from(request, "chunk", 0, 0), number_from(request, "size", CHUNK, 1)
        size = min(size, MAX_CHUNK)
        total = max(-(-version.size // size), 1)
        if index >= total:
            raise Invalid({"chunk": [f"The file has {total} chunks of {size} bytes; the last one is {total - 1}."]})
        content = file_store.read_blob(version.blob, index * size, size)
        body = {
            "chunkIndex": index,
            "totalChunks": total,
            "chunkSize": size,
            "content": base64.b64encode(content).decode(),
            "isLast": index == total - 1,
        }
        return Response(
            ChunkSerializer.render(body), headers={"X-Chunk-Index": str(index), "X-Total-Chunks": str(total)}
        )

    @extend_schema(operation_id="files_of_run", summary="List a run's files", responses=FileSerializer(many=True))
    @action(detail=False, url_path="runs/(?P<run_id>[^/]+)")
    def of_run(self, request: ApiRequest, run_id: str) -> Response:
        """The files of a run, by path."""
        try:
            run = self._runs().filter(pk=run_id).first()
        except (ValidationError, ValueError):
            run = None
        if run is None:
            raise NotFound("There is no such run.", run_id=run_id[:100])
        return self._list(run_id=run.pk)

    @extend_schema(operation_id="files_of_app", summary="List an app's files", responses=FileSerializer(many=True))
    @action(detail=False, url_path="apps/(?P<app_id>[^/]+)")
    def of_app(self, request: ApiRequest, app_id: str) -> Response:
        """The files of an app, by path."""
        return self._list(app_id=find_app(request.tenant.pk, app_id).key)

    def _list(self, **filters: Any) -> Response:
        page = self.paginate_queryset(self.get_queryset().filter(**filters))
        return self.get_paginated_response(FileSerializer.render_all(page))
