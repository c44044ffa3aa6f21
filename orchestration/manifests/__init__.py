"""Imported apps: manifests in their two forms, scopes, and the actions that start runs."""
