"""Tests of teams talk to the scripted model server, and have an engine when they ask for one."""

from tests.agents.conftest import acme, engine, gateway, offline

__all__ = ["acme", "engine", "gateway", "offline"]
