"""Names are nouns and verbs of the field: no participles, clauses or pictures, and limits are MAX_ or MIN_."""

import pytest

from tests.measure.source import product_files
from tests.measure.vocabulary import is_offence, offences


def test_no_name_is_a_participle_a_clause_or_a_picture() -> None:
    assert [offence for file in product_files() for offence in offences(file)] == []


@pytest.mark.parametrize("name", ["told", "found", "_given", "kept", "DoorBell", "rings", "what_came", "RINGS_APART_S"])
def test_such_a_name_would_be_noticed(name: str) -> None:
    assert is_offence(name, variable=True)


@pytest.mark.parametrize("name", ["rows", "created", "found_rows", "string", "MAX_ROWS", "speed", "wake"])
def test_plain_names_pass(name: str) -> None:
    assert not is_offence(name, variable=True)
