"""Bodies of teams and executions (seed 001)."""
