"""Conversations: the program of a turn, and its stream."""
