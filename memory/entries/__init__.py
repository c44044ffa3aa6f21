"""Memories: texts with an owner, found by meaning and by words."""
