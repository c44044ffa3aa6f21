"""Drafts: calls with side effects are staged as changes, then applied or discarded (RULINGS §7)."""
