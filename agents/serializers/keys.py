"""Ids that clients choose."""

from agents.models.agent import MAX_KEY_LENGTH

KEY = rf"^[A-Za-z0-9_][A-Za-z0-9._:@-]{{0,{MAX_KEY_LENGTH - 1}}}\Z"
MAX_TOOLS = 128  # that one agent may call
