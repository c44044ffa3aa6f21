"""Agent jobs (seed 002): an agent works on an input in the background. Each built-in one is a file of plugins/."""
