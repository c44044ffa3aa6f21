"""Bodies of files and tables."""
