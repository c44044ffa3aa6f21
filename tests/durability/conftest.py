"""One product for all durability tests: what one scenario leaves broken the next one finds."""

import logging
import random
from collections.abc import Iterator

import pytest

from tests.durability.stand import Stand, stood_up

SEED = 20


@pytest.fixture(scope="session")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A stand that is ready."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    with stood_up(tmp_path_factory.mktemp("durability")) as one:
        yield one


@pytest.fixture
def dice() -> random.Random:
    """The same chances each time."""
    return random.Random(SEED)
