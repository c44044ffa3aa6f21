"""The built-in offline model: deterministic rules that answer when no model is set up."""
