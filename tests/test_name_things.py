"""What things are called, one and many: in the admin, in messages and in what commands say."""

import re

import pytest
from django.apps import apps

from config.values.plurals import quantity

WRONG = re.compile(r"(ss|[^aeiou]ys|xs|(?<![aeiou])shs|chs|zs)$")  # keyss, policys, boxs, statuss


def test_no_plural_is_made_wrong() -> None:
    plurals = {model.__name__: str(model._meta.verbose_name_plural) for model in apps.get_models()}
    assert {name: plural for name, plural in plurals.items() if WRONG.search(plural)} == {}


@pytest.mark.parametrize("plural", ["execution keyss", "policys", "boxs", "statuss", "batchs"])
def test_a_wrong_plural_would_be_seen(plural: str) -> None:
    assert WRONG.search(plural)


@pytest.mark.parametrize("number", [0, 1, 2, 1_000])
def test_a_number_agrees_with_its_noun(number: int) -> None:
    noun, verb = ("secret", "memory has") if number == 1 else ("secrets", "memories have")
    assert quantity(number, "secret") == f"{number:,} {noun}"
    assert quantity(number, "memory has", "memories have") == f"{number:,} {verb}"
