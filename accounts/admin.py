"""Django's admin for tenants, users, memberships and keys; no page shows a secret."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as BaseUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.core.exceptions import ValidationError
from django.forms import ModelForm
from django.http import HttpRequest

from accounts.members import OPERATORS, TENANT_ID, TENANT_ID_RULE
from accounts.models import ApiKey, Invitation, Membership, Tenant, User, new_stamp


class MembershipInline(admin.StackedInline):
    """The tenant and role of a user, on the user's page."""

    model = Membership
    autocomplete_fields = ["tenant"]
    min_num = 1


class UserForm(AdminUserCreationForm):
    """A new user by e-mail address."""

    class Meta:
        model = User
        fields = ["email", "name"]


class TenantForm(ModelForm):
    """A tenant, whose id is of the kind that registration takes."""

    def clean_suspended(self) -> bool:
        """Whether it is suspended."""
        suspended: bool = self.cleaned_data["suspended"]
        if suspended and self.instance.pk == OPERATORS:
            raise ValidationError("The operators' own tenant cannot be suspended.")
        return suspended

    def clean_id(self) -> str:
        """The id."""
        id: str = self.cleaned_data["id"]
        if not TENANT_ID(id):
            raise ValidationError(TENANT_ID_RULE)
        return id


@admin.register(Tenant)
class TenantAdmin(admin.ModelAdmin):
    """Tenants and their share of the engine."""

    form = TenantForm
    list_display = ["id", "name", "suspended", "open_registration", "weight", "max_running", "created_at"]
    search_fields = ["id", "name"]
    list_filter = ["suspended", "open_registration"]

    def get_readonly_fields(self, request: HttpRequest, obj: Tenant | None = None) -> list[str]:
        """The id is what clients and rows name: it stays."""
        return ["id", "created_at"] if obj else []


@admin.register(User)
class UserAdmin(BaseUserAdmin):
    """People; is_staff makes a platform operator."""

    add_form = UserForm
    inlines = [MembershipInline]
    ordering = ["email"]
    list_display = ["email", "name", "tenant", "role", "is_staff", "is_active", "last_login"]
    list_filter = ["is_staff", "is_active", "membership__role"]
    list_select_related = ["membership"]
    search_fields = ["email", "name"]
    readonly_fields = ["last_login", "created_at"]
    filter_horizontal: list[str] = []
    fieldsets = [
        (None, {"fields": ["email", "password", "name", "avatar_url"]}),
        ("Rights", {"fields": ["is_active", "is_staff", "is_superuser"]}),
        ("Times", {"fields": ["last_login", "created_at"]}),
    ]
    add_fieldsets = [(None, {"fields": ["email", "name", "usable_password", "password1", "password2"]})]

    @admin.display(ordering="membership__tenant_id")
    def tenant(self, user: User) -> str:
        """The tenant's id."""
        member = getattr(user, "membership", None)
        return member.tenant_id if member else ""

    @admin.display(ordering="membership__role")
    def role(self, user: User) -> str:
        """The role in the tenant."""
        member = getattr(user, "membership", None)
        return member.role if member else ""

    def save_model(self, request: HttpRequest, obj: User, form: ModelForm, change: bool) -> None:
        """Save; closing or reopening an account ends its sessions."""
        if change and "is_active" in form.changed_data:
            obj.stamp = new_stamp()
        super().save_model(request, obj, form, change)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that the API makes: to look at, to revoke by deleting, not to edit."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: their secrets are shown once, by the API."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


@admin.register(ApiKey)
class ApiKeyAdmin(ReadOnlyAdmin):
    """API keys, by their first characters."""

    list_display = ["name", "start", "user", "tenant", "permissions", "expires_at", "revoked_at"]
    list_filter = ["revoked_at"]
    search_fields = ["name", "user__email", "tenant__id"]
    list_select_related = ["user", "tenant"]
    exclude = ["key_hash"]


@admin.register(Invitation)
class InvitationAdmin(ReadOnlyAdmin):
    """Invitations without their codes."""

    list_display = ["email", "role", "tenant", "expires_at", "used_at"]
    search_fields = ["email", "tenant__id"]
    list_select_related = ["tenant"]
    exclude = ["code_hash"]
