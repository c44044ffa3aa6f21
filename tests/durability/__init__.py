"""The durability tests: real processes, killed by their pids. `python -m tests.durability` runs them at full size."""
