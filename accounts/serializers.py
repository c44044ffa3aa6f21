"""The accounts' bodies: what comes in is checked by strict fields, what goes out never holds a secret."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from accounts.models import ApiKey, Invitation, KeyPermission, Role, Tenant
from config.http.fields import (
    BooleanField,
    CharField,
    ChoiceField,
    DateTimeField,
    EmailField,
    IntegerField,
    StrictModelSerializer,
    URLField,
    UUIDField,
)

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


class UserSerializer(serializers.Serializer):
    """A member of a tenant as the contract shows them."""

    id = UUIDField(source="user.id", read_only=True)
    email = EmailField(source="user.email", read_only=True)
    name = CharField(source="user.name", read_only=True)
    tenant_id = CharField(read_only=True)
    role = CharField(read_only=True)
    avatar_url = CharField(source="user.avatar_url", read_only=True)
    is_active = BooleanField(source="user.is_active", read_only=True)
    created_at = DateTimeField(source="user.created_at", read_only=True)


class SessionSerializer(serializers.Serializer):
    """What register, login and a changed password answer with."""

    user = UserSerializer(source="member")
    access_token = CharField()
    refresh_token = CharField()


class TokensSerializer(serializers.Serializer):
    """What refresh answers with; the refresh token is a new one, the old one is used up."""

    access_token = CharField()
    refresh_token = CharField()


class MessageSerializer(serializers.Serializer):
    """What was done."""

    message = CharField()


class RegisterSerializer(serializers.Serializer):
    """A new user; tenant_id names a new tenant, or one that is open to all."""

    email = EmailField(max_length=254)
    password = PasswordField()
    name = CharField(max_length=255, required=False, allow_blank=True, default="")
    tenant_id = CharField(max_length=64, required=False, allow_blank=True, allow_null=True)
    invitation = CharField(max_length=100, required=False, allow_blank=True, allow_null=True)


class LoginSerializer(serializers.Serializer):
    """Credentials of a person."""

    email = CharField(max_length=254)
    password = PasswordField()


class CodeSerializer(serializers.Serializer):
    """What single sign-on has given."""

    code = CharField(max_length=500)
    verifier = CharField(max_length=128, required=False, allow_blank=True, default="")


class RefreshSerializer(serializers.Serializer):
    """A refresh token that was not used yet."""

    refresh_token = CharField(max_length=4096)


class PasswordSerializer(serializers.Serializer):
    """The password in use, and the one to come."""

    current_password = PasswordField()
    new_password = PasswordField()


class ProfileSerializer(serializers.Serializer):
    """What people may change about themselves."""

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
        """A time to come."""
        if moment is not None and moment <= timezone.now():
            raise serializers.ValidationError("Must be in the future.")
        return moment


class NewApiKeySerializer(ApiKeySerializer):
    """A new API key, with the key, this once."""

    key = CharField(read_only=True)

    class Meta(ApiKeySerializer.Meta):
        fields = [*ApiKeySerializer.Meta.fields, "key"]


class NewUserSerializer(serializers.Serializer):
    """A user whom an admin adds."""

    email = EmailField(max_length=254)
    password = PasswordField()
    name = CharField(max_length=255, allow_blank=True, default="")
    role = RoleField(default=Role.USER)


class MemberSerializer(serializers.Serializer):
    """What an admin may change about a user."""

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
