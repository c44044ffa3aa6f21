"""Ids that clients choose."""

from agents.models.agent import KEY_MOST

KEY = rf"^[A-Za-z0-9_][A-Za-z0-9._:@-]{{0,{KEY_MOST - 1}}}\Z"
TOOLS_MOST = 128  # that one agent may call
