"""Serializers of what is watched, by noun."""
