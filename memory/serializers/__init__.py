"""The shapes of files and tables."""
