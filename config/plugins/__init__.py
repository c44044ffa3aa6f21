"""Plug-ins: installed packages that register programs, node types, tools, job agents and model providers."""
