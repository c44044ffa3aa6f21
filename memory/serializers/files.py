"""The shapes of a file (seed 000 §7)."""

import base64
import binascii
from typing import Any

from rest_framework import serializers

from config.http.fields import CharField, StrictModelSerializer, UUIDField
from memory.models import File, FileVersion


class Base64Field(CharField):
    """Bytes in base64, as standard as RFC 4648 §4 has it; line breaks between are taken."""

    def run_validation(self, data: Any = serializers.empty) -> Any:
        """The bytes; of a blank text (which DRF would hand back as it is) none."""
        found = super().run_validation(data)
        return b"" if found == "" else found

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        """The bytes."""
        text = super().to_internal_value(data)
        try:
            return base64.b64decode("".join(text.split()), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Must be base64 (RFC 4648).", "invalid") from None


class FileSerializer(StrictModelSerializer):
    """A file without its content."""

    class Meta:
        model = File
        fields: tuple[str, ...] = (
            *("id", "path", "size", "mime_type", "version", "sha256", "run_id", "app_id", "created_by"),
            *("created_at", "updated_at"),
        )
        read_only_fields = fields

    def to_representation(self, instance: File) -> dict[str, Any]:
        """The file; no app is null."""
        body = super().to_representation(instance)
        return body | {"app_id": instance.app_id or None}


class FileContentSerializer(FileSerializer):
    """A file with its content, for the OpenAPI document."""

    content = serializers.CharField(help_text="base64", read_only=True)

    class Meta(FileSerializer.Meta):
        fields = (*FileSerializer.Meta.fields, "content")
        read_only_fields = fields


class FileVersionSerializer(StrictModelSerializer):
    """One version of a file."""

    version = serializers.IntegerField(source="number", read_only=True)

    class Meta:
        model = FileVersion
        fields = ("version", "size", "mime_type", "sha256", "created_by", "created_at")
        read_only_fields = fields


class NewFile(serializers.Serializer):
    """POST /files."""

    path = CharField(max_length=1024, trim_whitespace=False)
    content = Base64Field(allow_blank=True, help_text="base64")
    mime_type = CharField(required=False, allow_blank=True, default="", max_length=255)
    run_id = UUIDField(required=False, allow_null=True, default=None)
    app_id = CharField(required=False, allow_blank=True, allow_null=True, default="", max_length=128)


class NewContent(serializers.Serializer):
    """PUT /files/{id}."""

    content = Base64Field(allow_blank=True, help_text="base64")
    mime_type = CharField(required=False, allow_blank=True, default="", max_length=255)


class ChunkShape(serializers.Serializer):
    """One chunk of a file; each is base64 of its own."""

    chunkIndex = serializers.IntegerField()  # noqa: N815 the contract's names
    totalChunks = serializers.IntegerField()  # noqa: N815
    chunkSize = serializers.IntegerField(help_text="Bytes of a full chunk.")  # noqa: N815
    content = serializers.CharField()
    isLast = serializers.BooleanField()  # noqa: N815
