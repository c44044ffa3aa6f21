"""Workflows: their definition, and the program that walks it."""
