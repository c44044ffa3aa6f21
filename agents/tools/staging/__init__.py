"""Calls in a draft: staged as changes instead of made, and seen by the reads of the same run (RULINGS §7)."""
