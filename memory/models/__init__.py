"""Memories and their chunks, files and their versions, and the data store of a tenant."""

from memory.models.datastore import DataStore
from memory.models.entry import MemoryChunk, MemoryEntry, MemoryType, Owner, Visibility
from memory.models.file import File, FileVersion

__all__ = ["DataStore", "File", "FileVersion", "MemoryChunk", "MemoryEntry", "MemoryType", "Owner", "Visibility"]
