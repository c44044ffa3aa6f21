"""The app of what is remembered: memories, files, and the tenants' own data."""

from django.apps import AppConfig


class MemoryConfig(AppConfig):
    """Memories with vectors, files with versions, tables of a tenant's own."""

    name = "memory"
