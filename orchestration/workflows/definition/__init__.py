"""A workflow's definition: its JSON, parsed, checked and made into the graph that walker.py walks."""
