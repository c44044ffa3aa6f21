"""Headers are records like the others; each column gets a name of its own, odd ones a note."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory.datastore.names import NAME, columns_of, quote_identifier
from tests.memory.test_type_columns import URL, content, upload

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant


def names(answer: Any) -> list[str]:
    """The names of an answer's columns."""
    assert answer.status_code == 201, answer.content
    return [column["name"] for column in answer.json()["columns"]]


@pytest.mark.parametrize(
    "text,expected",
    [
        ('"Full\nname",age\nAna,3\n', ["full_name", "age"]),
        ('"Prices, in R$, net";Qty\n"1,50";2\n', ["prices_in_r_net", "qty"]),
        ("SKU (empty, else required);Name (100, required);Brand (first)\n1;a;b\n",
         ["sku_empty_else_required", "name_100_required", "brand_first"]),
        ('"a ""b"";c",d\n1,2\n', ["a_b_c", "d"]),
        ("Date;Amount, EUR\n2024;1,5\n2025;2,5\n", ["date", "amount_eur"]),
        ("a, b, c;x\n1, 2, 3;y\n", ["a_b_c", "x"]),
        ("a, b\n1, 2\n", ["a", "b"]),
        ("a\tb, c\n1\t2\n", ["a", "b_c"]),
        ("sep=;\na;b,c\n1;2\n", ["a", "b_c"]),
        ("\n\na,b\n1,2\n", ["a", "b"]),
        ("a,b\r\n1,2\r\n", ["a", "b"]),
        ("a,b\r1,2\r", ["a", "b"]),
        ("Código do Cliente,Descrição,Número,São João,Straße,Øre,ﬁn,İl\n1,2,3,4,5,6,7,8\n",
         ["codigo_do_cliente", "descricao", "numero", "sao_joao", "strasse", "ore", "fin", "il"]),
        ("2024,_x,A-B,order,ctid\n1,2,3,4,5\n", ["_2024", "x", "a_b", "order", "ctid_2"]),
        ("a,b,,\n1,2,3,4\n", ["a", "b", "column_3", "column_4"]),
        ("a,b,a,A\n1,2,3,4\n", ["a", "b", "a_2", "a_3"]),
        ("a,a_2,a\n1,2,3\n", ["a", "a_2", "a_3"]),
        ("é,e,É\n1,2,3\n", ["e", "e_2", "e_3"]),
        ("column_2,,x\n1,2,3\n", ["column_2", "column_2_2", "x"]),
    ],
)  # fmt: skip
def test_a_header_gives_these_names(api: "APIClient", tenant: "Tenant", text: str, expected: list[str]) -> None:
    assert names(upload(api, text)) == expected
    assert [list(row) for row in content(tenant)] == [expected] * len(content(tenant)) and content(tenant)


def test_other_scripts_get_names_that_stay_the_same_wherever_they_stand(api: "APIClient") -> None:
    first = names(upload(api, "名前,価格 (JPY),Имя,α\n1,2,3,4\n"))
    second = names(upload(api, "α,Имя,名前,価格 (JPY)\n4,3,1,2\n", "replace"))
    assert first == [second[2], second[3], second[1], second[0]] and len(set(first)) == 4
    assert re.fullmatch(r"column_[0-9a-f]{8}", first[0]) and re.fullmatch(r"jpy_[0-9a-f]{8}", first[1])
    assert names(upload(api, "Имя\n5\n", "append")) == second


def test_odd_names_are_noted(api: "APIClient") -> None:
    long = "x" * 70
    notes = upload(api, f"a,A,,名前,order,xmin,{long},{long},Price\n1,2,3,4,5,6,7,8,9\n").json()["notes"]
    assert notes[0] == "Column 2, 'A', is called a_2: the name a is taken."
    assert notes[1] == "Column 3 is called column_3: it has no name of its own."
    assert notes[2].startswith("Column 4, '名前', is called column_")
    assert notes[3] == "Column 5, 'order', is called order, a word of SQL; write \"order\" there."
    assert notes[4].startswith("Column 6, 'xmin', is called xmin_2: PostgreSQL has")
    assert "would be too long" in notes[5]
    assert notes[6].endswith("is taken.") and len(notes) == 7


def test_keys_of_json_get_names_of_their_own_too(api: "APIClient", tenant: "Tenant") -> None:
    rows = [{"b": 1, "a": 2}, {"A": 3, "b": 4, "": 5}]
    answer = api.post(URL, {"name": "t", "rows": rows}, format="json")
    assert names(answer) == ["b", "a", "a_2", "column_4"], "in the order in which they come"
    assert [column["source"] for column in answer.json()["columns"]] == ["b", "a", "A", ""]
    assert content(tenant)[1] == {"b": 4, "a": None, "a_2": 3, "column_4": 5}
    assert [column["name"] for column in api.get(URL).json()[0]["columns"]] == ["b", "a", "a_2", "column_4"]


@given(st.lists(st.text(max_size=80), min_size=1, max_size=12))
def test_names_are_legal_distinct_and_stable(keys: list[str]) -> None:
    columns = columns_of(keys)
    column_names = [column.name for column in columns]
    assert len(set(column_names)) == len(keys) and all(NAME.fullmatch(name) for name in column_names)
    assert column_names == [column.name for column in columns_of(keys)]


def test_words_of_sql_are_quoted() -> None:
    assert (quote_identifier("order"), quote_identifier("left"), quote_identifier("price")) == (
        '"order"',
        '"left"',
        "price",
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_a_file_is_read_in_its_encoding(api: "APIClient", tenant: "Tenant", encoding: str) -> None:
    answer = upload(api, "Descrição,n\nchá à €,1\n".encode(encoding))
    assert names(answer) == ["descricao", "n"] and content(tenant) == [{"descricao": "chá à €", "n": 1}]
    assert [note[:22] for note in answer.json()["notes"]] == ["The file is not UTF-8;"] * (encoding == "cp1252")


@pytest.mark.parametrize(
    "raw,sentence",
    [
        ("é,b\n1,caf".encode() + b"\xe9\n", "not UTF-8 throughout: see byte 11 (line 2)"),
        (b"a,b\n1,\x00\n", "Line 2 holds a NUL"),
        (b"\xff\xfea", "no valid UTF-16"),
        (b"a,b\n1,2,3\n", "Line 2 has 3 values, but there are 2 columns"),
        (b'a,b\n"1\n2",x\n1,2,3\n', "Line 4 has 3 values"),
        (b'a,b\n1,2\n"x"y,2\n', "line 3"),
        (b'a,b\n"x,2\n', "line 2"),
        (b'"a,b\n', "line 1"),
        (b"a,b\n", "no rows"),
        (b" , \n1,2\n", "names of its columns"),
        (b"", "names of its columns"),
        (b"a\n" + b"x" * 1_100_000, "field larger than"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_place(
    api: "APIClient", tenant: "Tenant", raw: bytes, sentence: str
) -> None:
    answer = upload(api, raw)
    errors = answer.json()["context"]["errors"]
    assert answer.status_code == 400 and sentence in next(iter(errors.values()))[0], errors
    assert api.get(URL).json() == []
