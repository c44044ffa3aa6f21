"""Who is asking: tenants, users, their roles, and what they show: API keys, sessions, invitations."""

import uuid
from secrets import token_hex
from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.tenancy.tenant_model import TenantModel


class Tenant(models.Model):
    """One customer of the platform; all that it owns is seen by its members only."""

    id = models.CharField(primary_key=True, max_length=64)  # the string that clients send as tenant_id
    name = models.CharField(max_length=255)
    open_registration = models.BooleanField(default=False)
    suspended = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its members and keys are refused and no run of it is begun or gone on with, until it is resumed.",
    )
    suspension_reason = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="Told to its members."
    )
    weight = models.PositiveSmallIntegerField(default=1, help_text="Share of the engine's slots when tenants compete.")
    max_running = models.PositiveIntegerField(null=True, blank=True, help_text="Most runs at a time; empty = default.")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a member may do, each including the one before (viewer is an alias of user)."""

    USER = "user"
    DEVELOPER = "developer"
    ADMIN = "admin"


class UserManager(BaseUserManager["User"]):
    """Makes users; e-mail addresses are compared in lower case."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """A saved user."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        """A saved platform operator."""
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


def new_stamp() -> str:
    """A new value for User.stamp."""
    return token_hex(8)


class User(AbstractBaseUser, PermissionsMixin):
    """A person; is_staff makes a platform operator."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=255, blank=True)
    avatar_url = models.URLField(max_length=1000, blank=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    stamp = models.CharField(
        max_length=32, default=new_stamp, editable=False, help_text="In every token; a new one ends all sessions."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    objects = UserManager()

    def __str__(self) -> str:
        return self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save; a new password ends all sessions (Django clears `_password` when it only renews a hash)."""
        if getattr(self, "_password", None) is not None and not self._state.adding:
            self.stamp = new_stamp()
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "stamp"}
        super().save(*args, **kwargs)


class Membership(TenantModel):
    """The role of a user in a tenant. A user has one."""

    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="membership")
    role = models.CharField(max_length=16, choices=Role)

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.tenant_id}"


class KeyPermission(models.TextChoices):
    """What an API key is good for: safe methods only, or all that its owner may do."""

    READ = "read"
    WRITE = "write"


class ApiKey(TenantModel):
    """A key that acts for its owner. Only its SHA-256 is kept: it is 43 random characters, which nobody guesses."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=255)
    key_hash = models.CharField(max_length=64, unique=True, editable=False)
    start = models.CharField(max_length=12, editable=False, help_text="The first characters, to tell keys apart.")
    permissions = ArrayField(models.CharField(max_length=16, choices=KeyPermission))
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    key: str  # of a new one; not stored

    class Meta:
        verbose_name = "API key"

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"


class RefreshToken(models.Model):
    """One login's family of refresh tokens; `current` is the hash of the only one that still works.

    Rotation is one guarded UPDATE of `current`; a token of the family that is not the current one was used before.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="refresh_tokens")
    current = models.CharField(max_length=64, editable=False)
    stamp = models.CharField(max_length=32, editable=False, help_text="The user's stamp at login.")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, help_text="The last rotation.")
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"session of {self.user_id}"


class Invitation(TenantModel):
    """Lets one person join a tenant with a role, once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    email = models.EmailField(blank=True, help_text="Good for this address only; empty = for anybody who has the code.")
    role = models.CharField(max_length=16, choices=Role, default=Role.USER)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    code: str  # of a new one; not stored

    def __str__(self) -> str:
        return f"{self.email or 'anybody'} as {self.role} of {self.tenant_id}"
