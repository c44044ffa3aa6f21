"""Code tasks (seed 003): an agent that works on an objective with files and commands, in a workspace of its own."""
