"""Files of a tenant: rows here, bytes in the storage (storage.py)."""

from django.db import models
from django.db.models import Q
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel


class File(TenantModel):
    """A file as it is now; each new content makes a FileVersion. `path` is a label, never a place on our disk."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    path = models.CharField(max_length=1024)
    mime_type = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField(help_text="Bytes.")
    sha256 = models.CharField(max_length=64)
    version = models.PositiveIntegerField(default=1)
    run_id = models.UUIDField(null=True)
    app_id = models.CharField(max_length=128, blank=True)
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "path"], name="file_by_path"),
            models.Index(fields=["run_id"], condition=Q(run_id__isnull=False), name="file_of_run"),
            models.Index(fields=["tenant", "app_id"], condition=~Q(app_id=""), name="file_of_app"),
        ]

    def __str__(self) -> str:
        return self.path


class FileVersion(TenantModel):
    """The content of a file at one time. `blob` is its name in the storage."""

    file = models.ForeignKey(File, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    blob = models.CharField(max_length=255)
    mime_type = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField()
    sha256 = models.CharField(max_length=64)
    effect_key = models.CharField(max_length=400, null=True, help_text="The run's step that wrote it.")
    created_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["file", "number"], name="file_version"),
            models.UniqueConstraint(
                fields=["tenant", "effect_key"], condition=Q(effect_key__isnull=False), name="file_written_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.file_id} v{self.number}"
