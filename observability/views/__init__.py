"""Views of what is watched, by noun."""
