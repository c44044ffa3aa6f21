"""A product per test file: these tests kill its parts, so nobody else may share it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.product import Product, fresh_folder, started


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """An empty data folder."""
    with fresh_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """One that is ready, on a data folder of its own."""
    with fresh_folder() as folder, started(folder) as one:
        yield one.ready()
