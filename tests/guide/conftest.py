"""The tenant and the engine that the guide's samples run with."""

from tests.orchestration.conftest import acme, engine

__all__ = ["acme", "engine"]
