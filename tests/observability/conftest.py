"""Tests of alerts have an engine, a far end that notifications reach, and a model server when they ask for one."""

from tests.agents.conftest import acme, engine, far_end, gateway

__all__ = ["acme", "engine", "far_end", "gateway"]
