"""Memories: a text with an owner, found by meaning and by its words."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import MD5, Concat, Now
from pgvector.django import HalfVectorField
from uuid_utils.compat import uuid7

from accounts.tenancy.tenant_model import TenantModel

WORDS = "simple"  # PostgreSQL's text search configuration: no stemming, the same for every language


class MemoryType(models.TextChoices):
    """What kind of memory it is (seed 000 §8)."""

    SHORT_TERM = "short_term"
    LONG_TERM = "long_term"
    PROFILE = "profile"


class Owner(models.TextChoices):
    """Whose memory it is."""

    USER = "user"
    TENANT = "tenant"
    APP = "app"
    AGENT = "agent"
    RUN = "run"


class Visibility(models.TextChoices):
    """Who finds it: its owner, its tenant, all tenants (RULINGS §8)."""

    PRIVATE = "private"
    ORG = "org"
    PUBLIC = "public"


class MemoryFields(TenantModel):
    """What a memory is filtered by; it never changes, and is repeated on each chunk: a search reads one table."""

    shared_rows = "visibility = 'public'"

    type = models.CharField(max_length=16, choices=MemoryType)
    owner_type = models.CharField(max_length=8, choices=Owner)
    owner_id = models.CharField(max_length=128)
    visibility = models.CharField(max_length=8, choices=Visibility, default=Visibility.PRIVATE)
    metadata = models.JSONField(default=dict)
    created_by = models.UUIDField(null=True)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class MemoryEntry(MemoryFields):
    """One memory. `effect_key` is the step that stored it: the same step done again finds it instead of doubling it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    content = models.TextField()
    effect_key = models.CharField(max_length=400, null=True)
    created_at = models.DateTimeField(db_default=Now())
    # The tenant and the visibility are words as well, so that the one index over all tenants finds a tenant's quickly.
    words = models.GeneratedField(
        expression=SearchVector(
            Concat(
                models.Value("tenant"),
                MD5(models.F("tenant_id")),
                models.Value(" visibility"),
                models.F("visibility"),
                models.Value(" "),
                models.F("content"),
                output_field=models.TextField(),
            ),
            config=WORDS,
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    class Meta:
        verbose_name_plural = "memory entries"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "effect_key"], condition=Q(effect_key__isnull=False), name="memory_stored_once"
            )
        ]
        indexes = [
            models.Index(fields=["tenant", "owner_type", "owner_id", "-created_at"], name="memory_of_owner"),
            models.Index(fields=["expires_at"], condition=Q(expires_at__isnull=False), name="memory_expiring"),
            GinIndex(fields=["words"], name="memory_words"),
        ]

    def __str__(self) -> str:
        return self.content[:60]


class MemoryChunk(MemoryFields):
    """A piece of a memory with its vector: unit length, of the embedding model's own dimension; null when the text has
    nothing to embed.
    """

    id = models.BigAutoField(primary_key=True)
    entry = models.ForeignKey(MemoryEntry, models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    model = models.CharField(max_length=128)
    embedding = HalfVectorField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["tenant", "owner_type", "owner_id"], name="chunk_of_owner"),
            models.Index(fields=["id"], condition=Q(visibility="public"), name="chunk_public"),
            GinIndex(fields=["metadata"], opclasses=["jsonb_path_ops"], name="chunk_metadata"),
        ]

    def __str__(self) -> str:
        return f"{self.entry_id}#{self.position}"
