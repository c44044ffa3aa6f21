"""docs/guide says what the code says."""

from pathlib import Path

import pytest

from tests.guide.pages import FOLDER, pages, regenerated


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_generated_parts_are_up_to_date(page: Path) -> None:
    assert page.read_text() == regenerated(page.read_text()), "write them anew: make guide"


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_index_names_each_page(page: Path) -> None:
    assert page.name == "README.md" or f"({page.name})" in (FOLDER / "README.md").read_text()
