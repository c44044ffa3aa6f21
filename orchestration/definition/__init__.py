"""What a workflow says: its JSON, read, checked and made into a graph that orchestration/workflows/walker.py can walk."""
