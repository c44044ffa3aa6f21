"""Conversations: the program of a turn, its SSE frames, and their stream."""
