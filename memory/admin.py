"""The operator's view of what is remembered, to look at and not to touch."""

from django.contrib import admin

from governance.admin import ReadOnlyAdmin
from memory.models import DataStore, File, MemoryEntry


@admin.register(MemoryEntry)
class MemoryAdmin(ReadOnlyAdmin):
    """Memories of all tenants."""

    list_display = ("__str__", "tenant_id", "type", "owner_type", "owner_id", "visibility", "created_at", "expires_at")
    list_filter = ("type", "owner_type", "visibility")
    search_fields = ("id", "owner_id")
    exclude = ("words",)


@admin.register(File)
class FileAdmin(ReadOnlyAdmin):
    """Files of all tenants; their bytes are got by the API."""

    list_display = ("path", "tenant_id", "size", "mime_type", "version", "updated_at")
    search_fields = ("path",)


@admin.register(DataStore)
class DataStoreAdmin(ReadOnlyAdmin):
    """Which schema and which logins a tenant's own tables have."""

    list_display = ("tenant_id", "schema", "reader", "writer")
