"""The shapes of agents and tools."""
