"""A user's keys for model providers (seed 001): they are stored, and never in a response."""

import uuid
from datetime import UTC, datetime

from rest_framework import serializers

from config.http.fields import CharField, RegexField
from config.http.serializers import ResponseSerializer
from governance.models import ProviderKey


class ProviderKeyRequest(serializers.Serializer):
    """A provider's key."""

    example = {"service_name": "openai", "api_key": "sk-…"}

    service_name = RegexField(r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z")
    api_key = CharField(max_length=2000)


class ProviderKeySerializer(ResponseSerializer):
    """A stored key, without the key."""

    example = ProviderKey(
        id=uuid.UUID("0197a3c2-5d1e-4b40-9c3f-2f6d1c0b8a14"), user_id=uuid.UUID("0197a3c2-5d1e-4b40-9c3f-2f6d1c0b8a13"),
        service_name="openai", created_at=datetime(2026, 1, 31, tzinfo=UTC),
        updated_at=datetime(2026, 1, 31, tzinfo=UTC),
    )  # fmt: skip

    key_id = serializers.UUIDField(source="id")
    user_id = serializers.UUIDField()
    service_name = serializers.CharField()
    is_active = serializers.SerializerMethodField(help_text="True as long as the key is stored.")
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_is_active(self, key: ProviderKey) -> bool:
        return True
