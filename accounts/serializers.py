"""The accounts' bodies: requests are checked by strict fields, responses hold no secret but a new one."""

import uuid
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import ApiKey, Invitation, KeyPermission, Membership, Role, Tenant, User
from config.http.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DateTimeField,
    EmailField,
    IntegerField,
    StrictModelSerializer,
    URLField,
)
from config.http.serializers import ResponseSerializer

DAY = 24 * 3600
ROLES = [*Role.values, "viewer"]


class RoleField(ChoiceField):
    """A role; viewer is another word for user."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"choices": ROLES, **kwargs})

    def to_internal_value(self, data: Any) -> str:
        """The role."""
        role = super().to_internal_value(data)
        return Role.USER if role == "viewer" else role


class PasswordField(CharField):
    """A password: never written, never trimmed."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"write_only": True, "trim_whitespace": False, "max_length": 256, **kwargs})


class UserSerializer(ResponseSerializer):
    """A member of a tenant; its row is a Membership or an Identity."""

    example = Membership(
        user=User(id=uuid.UUID("0197a3c2-5d1e-4b40-9c3f-2f6d1c0b8a13"), email="ana@example.com", name="Ana Souza",
                  created_at=datetime(2026, 1, 31, 9, 30, tzinfo=UTC)),
        tenant_id="acme", role=Role.DEVELOPER,
    )  # fmt: skip

    id = serializers.UUIDField(source="user.id")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    tenant_id = serializers.CharField()
    role = serializers.CharField()
    avatar_url = serializers.CharField(source="user.avatar_url")
    is_active = serializers.BooleanField(source="user.is_active")
    created_at = serializers.DateTimeField(source="user.created_at")


class TokensSerializer(ResponseSerializer):
    """A pair of tokens; the refresh token works once."""

    access_token = serializers.CharField()
    refresh_token = serializers.CharField()


class SessionSerializer(ResponseSerializer):
    """A new session; its row is a tokens.Session."""

    example = {"member": UserSerializer.example, "access_token": "eyJhbGciOi…", "refresh_token": "eyJ0eXAiOi…"}

    user = UserSerializer(source="member")
    access_token = serializers.CharField()
    refresh_token = serializers.CharField()


class RegisterSerializer(serializers.Serializer):
    """A new user; tenant_id names a new tenant, or one that is open to all."""

    example = {"email": "ana@example.com", "password": "correct horse battery", "name": "Ana Souza"}

    email = EmailField(max_length=254)
    password = PasswordField()
    name = CharField(max_length=255, required=False, allow_blank=True, default="")
    tenant_id = CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    invitation = CharField(max_length=100, required=False, allow_blank=True, allow_null=True)


class LoginSerializer(serializers.Serializer):
    """Credentials of a person."""

    example = {"email": "ana@example.com", "password": "correct horse battery"}

    email = CharField(max_length=254)
    password = PasswordField()


class CodeSerializer(serializers.Serializer):
    """The code of a single sign-on."""

    code = CharField(max_length=500)
    verifier = CharField(max_length=128, required=False, allow_blank=True, default="")


class RefreshSerializer(serializers.Serializer):
    """A refresh token that has not been used."""

    refresh_token = CharField(max_length=4096)


class PasswordSerializer(serializers.Serializer):
    """The password in use, and the next one."""

    current_password = PasswordField()
    new_password = PasswordField()


class ProfileSerializer(serializers.Serializer):
    """The fields of one's own profile that may change."""

    name = CharField(max_length=255, allow_blank=True, required=False)
    avatar_url = URLField(max_length=1000, allow_blank=True, required=False)

    def validate_avatar_url(self, url: str) -> str:
        """A picture on the web."""
        if url and not url.startswith(("https://", "http://")):
            raise serializers.ValidationError("Must start with https:// or http://.")
        return url


class ApiKeySerializer(StrictModelSerializer):
    """An API key without the key."""

    name = CharField(max_length=255)
    permissions = serializers.ListField(
        child=ChoiceField(choices=KeyPermission.choices), allow_empty=False, default=lambda: [KeyPermission.READ]
    )
    expires_at = DateTimeField(required=False, allow_null=True)

    class Meta:
        model = ApiKey
        fields = ["id", "name", "start", "permissions", "expires_at", "revoked_at", "created_at"]
        read_only_fields = ["id", "start", "revoked_at", "created_at"]

    def validate_expires_at(self, moment: datetime | None) -> datetime | None:
        """A time in the future."""
        if moment is not None and moment <= timezone.now():
            raise serializers.ValidationError("Must be in the future.")
        return moment


class NewApiKeySerializer(ApiKeySerializer):
    """A new API key, with the key, this once."""

    key = CharField(read_only=True)

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


class NewUserSerializer(serializers.Serializer):
    """A user that an admin adds."""

    email = EmailField(max_length=254)
    password = PasswordField()
    name = CharField(max_length=255, allow_blank=True, default="")
    role = RoleField(default=Role.USER)


class MemberSerializer(serializers.Serializer):
    """The fields of a user that an admin may change."""

    role = RoleField(required=False)
    is_active = BooleanField(required=False)
    name = CharField(max_length=255, allow_blank=True, required=False)


class InvitationSerializer(StrictModelSerializer):
    """An invitation without its code."""

    email = EmailField(max_length=254, allow_blank=True, default="")
    role = RoleField(default=Role.USER)
    expires_in_s = IntegerField(write_only=True, min_value=60, max_value=90 * DAY, default=7 * DAY)

    class Meta:
        model = Invitation
        fields = ["id", "email", "role", "expires_in_s", "expires_at", "used_at", "created_at"]
        read_only_fields = ["id", "expires_at", "used_at", "created_at"]


class NewInvitationSerializer(InvitationSerializer):
    """A new invitation, with its code, this once."""

    code = CharField(read_only=True)

    class Meta(InvitationSerializer.Meta):
        fields = [*InvitationSerializer.Meta.fields, "code"]


class TenantSerializer(StrictModelSerializer):
    """A tenant's settings."""

    name = CharField(max_length=255)

    class Meta:
        model = Tenant
        fields = ["id", "name", "open_registration", "created_at"]
        read_only_fields = ["id", "created_at"]
