"""References, conditions and templates in a workflow's definition."""
