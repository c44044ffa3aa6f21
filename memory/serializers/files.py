"""Bodies of files (seed 000 §7)."""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from rest_framework import serializers

from config.http.fields import CharField, TextOrNullField, UUIDField
from config.http.serializers import ResponseSerializer
from config.values.json_types import JsonObject
from memory.models import File, FileVersion


class Base64Field(CharField):
    """Bytes in the base64 of RFC 4648 §4; line breaks between are allowed."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The bytes; of a blank text (which DRF would hand back as it is) none."""
        content = super().run_validation(data)
        return b"" if content == "" else content

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        """The bytes."""
        text = super().to_internal_value(data)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Must be base64 (RFC 4648).", "invalid") from None


class FileSerializer(ResponseSerializer):
    """A file without its content."""

    example: ClassVar[Any] = File(
        id=UUID("0197a3c2-5d1e-7b40-9c3f-2f6d1c0b8a15"), path="notes/plan.md", size=5, mime_type="text/markdown",
        sha256="2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        created_at=datetime(2026, 1, 31, tzinfo=UTC), updated_at=datetime(2026, 1, 31, tzinfo=UTC),
    )  # fmt: skip

    id = serializers.UUIDField()
    path = serializers.CharField()
    size = serializers.IntegerField(help_text="Bytes.")
    mime_type = serializers.CharField()
    version = serializers.IntegerField()
    sha256 = serializers.CharField()
    run_id = serializers.UUIDField(allow_null=True)
    app_id = TextOrNullField()
    created_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class FileContentSerializer(FileSerializer):
    """A file with the content of one version; its row has `content` beside a File's."""

    example = vars(FileSerializer.example) | {"content": "aGVsbG8="}

    content = serializers.CharField(help_text="base64")

    @classmethod
    def render_version(cls, file: File, version: FileVersion, content: bytes) -> JsonObject:
        """The file as it was at that version."""
        fields = {name: getattr(version, name) for name in ("size", "mime_type", "sha256")}
        text = base64.b64encode(content).decode()
        return cls.render(vars(file) | fields | {"version": version.number, "content": text})


class FileVersionSerializer(ResponseSerializer):
    """One version of a file."""

    version = serializers.IntegerField(source="number")
    size = serializers.IntegerField(help_text="Bytes.")
    mime_type = serializers.CharField()
    sha256 = serializers.CharField()
    created_by = serializers.UUIDField(allow_null=True)
    created_at = serializers.DateTimeField()


class FileRequest(serializers.Serializer):
    """POST /files."""

    example = {"path": "notes/plan.md", "content": "aGVsbG8="}

    path = CharField(max_length=1024, trim_whitespace=False)
    content = Base64Field(allow_blank=True, help_text="base64")
    mime_type = CharField(required=False, allow_blank=True, default="", max_length=255)
    run_id = UUIDField(required=False, allow_null=True, default=None)
    app_id = CharField(required=False, allow_blank=True, allow_null=True, default="", max_length=128)


class FileContentRequest(serializers.Serializer):
    """PUT /files/{id}."""

    example = {"content": "aGVsbG8="}

    content = Base64Field(allow_blank=True, help_text="base64")
    mime_type = CharField(required=False, allow_blank=True, default="", max_length=255)


class ChunkSerializer(ResponseSerializer):
    """One chunk of a file; each is base64 of its own."""

    example = {"chunkIndex": 0, "totalChunks": 1, "chunkSize": 65_536, "content": "aGVsbG8=", "isLast": True}

    chunkIndex = serializers.IntegerField()  # noqa: N815 the contract's names
    totalChunks = serializers.IntegerField()  # noqa: N815
    chunkSize = serializers.IntegerField(help_text="Bytes of a full chunk.")  # noqa: N815
    content = serializers.CharField()
    isLast = serializers.BooleanField()  # noqa: N815
