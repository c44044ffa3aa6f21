"""What is remembered: memories and their chunks, files and their versions, which tenant a database role stands for."""

from memory.models.datastore import DataStore
from memory.models.entry import MemoryChunk, MemoryEntry, MemoryType, Owner, Visibility
from memory.models.file import File, FileVersion

__all__ = ["DataStore", "File", "FileVersion", "MemoryChunk", "MemoryEntry", "MemoryType", "Owner", "Visibility"]
