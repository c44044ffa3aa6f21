"""Chat models: the port, its implementations, and the reading of what providers send."""
