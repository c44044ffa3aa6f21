"""A column has a type only when each of its values comes back from it exactly; whatever else is sent stays a text."""

import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.tenancy.tenant_model import as_owner
from config.errors import Invalid
from memory.datastore.logins import find_store
from memory.datastore.sheets import csv_sheet, object_sheet
from memory.datastore.tables import list_tables, load_sheet

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/data/tables"


def upload(api: "APIClient", raw: str | bytes, mode: str = "create") -> Any:
    """The answer to uploading a CSV as table t."""
    raw = raw if isinstance(raw, bytes) else raw.encode()
    body = {"name": "t", "mode": mode, "file": SimpleUploadedFile("t.csv", raw, "text/csv")}
    return api.post(URL, body, format="multipart")


def content(tenant: "Tenant", name: str = "t") -> list[dict[str, Any]]:
    """The rows of a table as JSON has them."""
    store = find_store(tenant.pk)
    assert store
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f'SELECT row_to_json(t)::text FROM "{store.schema}"."{name}" t')
        return [json.loads(text) for (text,) in cursor.fetchall()]


def print_value(value: Any) -> str:
    """A value of JSON as a CSV has it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize(
    "texts,type",
    [
        (["7615917337495251231", "-9223372036854775808", "0"], "integer"),
        (["1", "", "-2"], "integer"),
        (["0.5", "-1.25", "3"], "number"),
        (["true", "false"], "boolean"),
        (["2024-02-29", "0001-01-01"], "date"),
        (["2026-01-31T10:00:00", "2026-01-31T10:00:00.5"], "timestamp"),
        (["2026-01-31T10:00:00+00:00"], "timestamp"),
    ],
)
def test_a_type_is_taken_when_all_texts_come_back(
    api: "APIClient", tenant: "Tenant", texts: list[str], type: str
) -> None:
    (column,) = upload(api, "\n".join(["c", *(text or '""' for text in texts)])).json()["columns"]
    assert (column["name"], column["source"], column["type"]) == ("c", "c", type) and column["reason"]
    assert [print_value(row["c"]) for row in content(tenant)] == texts


@pytest.mark.parametrize(
    "text",
    [
        "9223372036854775808", "35240112345678000199550010000012341000012345", "+5511999998888", "+5", "007", "00",
        "-0", "-007", "1.10", "5.0", ".5", "5.", "-0.0", "1e3", "12E12", "1E999", "0.00001", "12345678901234567.5",
        "1,5", "1_000", "1 000", "\uff11\uff12", "\u0663", " 1", "1 ", "0x1F", "NaN", "Infinity", "inf", "NO", "no",
        "yes",
        "True", "TRUE", "t", "null", "2024-02-30", "2024-1-2", "02/01/2024", "2026-01-31 10:00:00",
        "2026-01-31T10:00", "2026-01-31T10:00:00Z", "2026-01-31T10:00:00-03:00", "2026-01-31T10:00:00.500",
        "2026-01-31T24:00:00", "0000-01-01", "2026-01-31T10:00:60",
    ],
)  # fmt: skip
def test_what_would_come_back_otherwise_stays_text(api: "APIClient", tenant: "Tenant", text: str) -> None:
    answer = upload(api, f'c,n\n"{text}",1\n"{text}",2\n').json()
    assert [column["type"] for column in answer["columns"]] == ["text", "integer"]
    assert text[:40] in answer["columns"][0]["reason"] and "line 2" in answer["columns"][0]["reason"]
    assert content(tenant) == [{"c": text, "n": 1}, {"c": text, "n": 2}]


@pytest.mark.parametrize(
    "texts,reason",
    [
        (["1", "x"], "'1' (line 2) is a whole number of at most 64 bits, 'x' (line 3) is a text."),
        (["1", "2024-01-02"], "'2024-01-02' (line 3) is a date"),
        (["2024-01-02", "2024-01-02T10:00:00"], "is a date, '2024-01-02T10:00:00' (line 3) is a timestamp"),
        (["2024-01-02T10:00:00", "2024-01-02T10:00:00+00:00"], "is a timestamp in UTC"),
        (["true", "1"], "is true or false, '1' (line 3)"),
        (["0.5", "9007199254740993"], "'9007199254740993' (line 3) has more digits"),
        (["007", "8"], "'8' (line 3) is a whole number"),
        (["007"], "'007' (line 2) would not come back from a number as it is."),
        (["31.01.2026"], "would not come back"),
        (["soap"], "'soap' (line 2) is a text."),
        (["", ""], "It has no values."),
    ],
)
def test_the_answer_says_why_a_column_is_text(api: "APIClient", texts: list[str], reason: str) -> None:
    (column,) = upload(api, "\n".join(["c", *(text or '""' for text in texts)])).json()["columns"]
    assert column["type"] == "text" and reason in column["reason"]


CELLS = st.one_of(
    st.integers().map(str),
    st.integers(-(2**64), 2**64).map(str),
    st.floats().map(repr),
    st.floats(width=32).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.booleans().map(str),
    st.dates().map(str),
    st.datetimes().map(lambda moment: moment.isoformat()),
    st.sampled_from(["", "true", "false", "yes", "NO", "007", "-0", "1.10", "1e5", "2024-01-02", "+1", " 1"]),
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=5),
)
COLUMNS = st.integers(1, 3).flatmap(
    lambda width: st.lists(st.lists(CELLS, min_size=width, max_size=width), min_size=1, max_size=4)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(COLUMNS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_whatever_a_csv_holds_comes_back_as_its_texts(
    tenant: "Tenant", rows: list[list[str]], separator: str, encoding: str
) -> None:
    text = io.StringIO()
    names = [f"c{number}" for number in range(len(rows[0]))]
    csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL).writerows([names, *rows])
    load_sheet(tenant.pk, "t", csv_sheet(io.BytesIO(text.getvalue().encode(encoding))), "replace")
    assert [[print_value(row[name]) for name in names] for row in content(tenant)] == rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(COLUMNS, COLUMNS)
def test_an_append_keeps_texts_as_they_are_or_changes_nothing(
    tenant: "Tenant", first: list[list[str]], more: list[list[str]]
) -> None:
    sheets = [[{"c": row[0]} for row in rows] for rows in (first, more)]
    load_sheet(tenant.pk, "t", object_sheet(sheets[0], from_text=True), "replace")
    expected = sheets[0] + sheets[1]
    try:
        load_sheet(tenant.pk, "t", object_sheet(sheets[1], from_text=True), "append")
    except Invalid:
        expected = sheets[0]
    assert [{"c": print_value(row["c"])} for row in content(tenant)] == expected


@pytest.mark.parametrize(
    "first,more,type",
    [
        ("5", "007", "integer"), ("5", "+5", "integer"), ("5", "5.0", "integer"), ("5", "many", "integer"),
        ("5", "9223372036854775808", "integer"), ("0.5", "1e3", "number"), ("0.5", "1.10", "number"),
        ("0.5", "9007199254740993", "number"), ("true", "TRUE", "boolean"), ("true", "yes", "boolean"),
        ("2024-01-02", "2024-02-30", "date"), ("2024-01-02", "02.01.2024", "date"),
        ("2024-01-02T10:00:00", "2024-01-02 10:00:00", "timestamp"),
    ],
)  # fmt: skip
def test_a_text_that_does_not_fit_a_column_is_refused_by_line_and_column(
    api: "APIClient", tenant: "Tenant", first: str, more: str, type: str
) -> None:
    assert upload(api, f"a,The Column\nx,{first}\n").status_code == 201
    answer = upload(api, f'a,The Column\ny,{first}\n"two\nlines",{more}\n', "append")
    (sentence,) = answer.json()["context"]["errors"]["file"]
    assert answer.status_code == 400
    assert sentence.startswith("Line 3, column The Column: ") and more in sentence and f"of type {type}" in sentence
    assert len(content(tenant)) == 1


def test_an_append_tells_which_columns_it_has_filled(api: "APIClient") -> None:
    upload(api, "a,b\n1,x\n")
    answer = upload(api, "B\nNO\n", "append").json()
    assert [(column["name"], column["source"]) for column in answer["columns"]] == [("a", None), ("b", "B")]
    assert answer["rows"] == 2 and answer["notes"] == []


def test_a_replacement_that_fails_leaves_the_table(api: "APIClient", tenant: "Tenant") -> None:
    upload(api, "a,b\n1,x\n")
    assert upload(api, "a,b\n1,2\n3,4,5\n", "replace").status_code == 400
    assert content(tenant) == [{"a": 1, "b": "x"}]


@pytest.mark.parametrize(
    "values,type,back",
    [
        ([1, 2.5], "number", [1, 2.5]),
        ([2**62, 1], "integer", [2**62, 1]),
        ([2**62, 2.5], "text", [str(2**62), "2.5"]),
        ([1, "x"], "text", ["1", "x"]),
        ([1, "1"], "text", ["1", "1"]),
        ([True, 1], "text", ["true", "1"]),
        (["1", "2"], "text", ["1", "2"]),
        (["2024-01-02"], "text", ["2024-01-02"]),
        ([{"a": [1, {"b": None}]}, None, "x", 5], "json", [{"a": [1, {"b": None}]}, None, "x", 5]),
        ([[], {}], "json", [[], {}]),
        (["\\u0000", {"a": "\\u0000"}], "json", ["\\u0000", {"a": "\\u0000"}]),
        ([None, None], "text", [None, None]),
        ([1e300, 0.1], "number", [1e300, 0.1]),
        (["", "x"], "text", ["", "x"]),
    ],
)
def test_values_of_json_come_back_too(
    api: "APIClient", tenant: "Tenant", values: list[Any], type: str, back: list[Any]
) -> None:
    answer = api.post(URL, {"name": "t", "rows": [{"c": value} for value in values]}, format="json")
    assert answer.status_code == 201, answer.content
    (column,) = answer.json()["columns"]
    assert column["type"] == type and [row["c"] for row in content(tenant)] == back


@pytest.mark.parametrize(
    "first,more", [(1, 1.5), (1, "007"), (1, True), (1, ""), (0.5, 2**60), (True, 1), (True, "yes"), (1, [1])]
)
def test_a_value_that_does_not_fit_a_column_is_refused_by_row_and_key(
    api: "APIClient", tenant: "Tenant", first: Any, more: Any
) -> None:
    api.post(URL, {"name": "t", "rows": [{"C": first}]}, format="json")
    body = {"name": "t", "rows": [{"C": first}, {"C": more}], "mode": "append"}
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == ["rows[1].C"]
    assert len(content(tenant)) == 1


@pytest.mark.parametrize(
    "raw", ['[{"a": NaN}]', '[{"a": 1e999}]', '[{"a": 18446744073709551617}]', '[{"a": "\\u0000"}]']
)
def test_json_that_no_table_can_hold_is_refused(api: "APIClient", tenant: "Tenant", raw: str) -> None:
    answer = api.post(URL, f'{{"name": "t", "rows": {raw}}}', content_type="application/json")
    assert answer.status_code == 400 and list_tables(tenant.pk) == []
