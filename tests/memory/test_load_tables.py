"""/api/v1/data/tables and manage.py load_data: rows become a table whose columns fit them, or nothing changes."""

import json
import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from memory.datastore.tables import list_tables, load_table
from tests.factories import log_in, make_user

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant

URL = "/api/v1/data/tables"


def make(api: "APIClient", name: str, rows: Any, **more: Any) -> Any:
    """The answer to a POST of rows."""
    return api.post(URL, {"name": name, "rows": rows, **more}, format="json")


def types(body: dict[str, Any]) -> dict[str, str]:
    """{column: type}."""
    return {column["name"]: column["type"] for column in body["columns"]}


def test_columns_get_the_narrowest_type_that_all_values_fit(api: "APIClient") -> None:
    rows = [
        {"i": 1, "f": 1, "b": True, "t": "x", "j": {"a": 1}, "mixed": 1, "Some Name!": None, "empty": None},
        {"i": -5, "f": 2.5, "b": None, "t": "7", "j": [1], "mixed": "x", "later": "y"},
    ]
    answer = make(api, "all_sorts", rows)
    assert answer.status_code == 201 and answer.json()["rows"] == 2
    assert types(answer.json()) == {
        "i": "integer", "f": "number", "b": "boolean", "t": "text", "j": "json", "mixed": "text",
        "some_name": "text", "empty": "text", "later": "text",
    }  # fmt: skip


def test_a_csv_is_read_as_what_its_texts_look_like(api: "APIClient") -> None:
    text = (
        "id;price;paid;on;at;code\n1;2,5;yes;2026-01-31;2026-01-31T10:00:00Z;007\n2;;no;2026-02-01;2026-02-01 11:00;8\n"
    )
    file = SimpleUploadedFile("sales.csv", text.encode(), "text/csv")
    answer = api.post(URL, {"name": "sales", "file": file}, format="multipart")
    assert answer.status_code == 201, answer.content
    assert types(answer.json()) == {
        "id": "integer", "price": "text", "paid": "text", "on": "date", "at": "text", "code": "text",
    }  # fmt: skip


def test_a_known_table_is_appended_to_or_replaced_only_when_asked(api: "APIClient", tenant: "Tenant") -> None:
    make(api, "t", [{"a": 1}])
    assert make(api, "t", [{"a": 2}]).status_code == 409
    assert make(api, "t", [{"a": 2}], mode="append").json()["rows"] == 2
    assert types(make(api, "t", [{"b": "x"}], mode="replace").json()) == {"b": "text"}
    assert make(api, "t", [{"c": 1}], mode="append").status_code == 400
    assert [(table.name, table.rows) for table in list_tables(tenant.pk)] == [("t", 1)]


@pytest.mark.parametrize(
    "body,field",
    [
        ({"rows": [{"a": 1}]}, "name"),
        ({"name": "x; DROP TABLE y", "rows": [{"a": 1}]}, "name"),
        ({"name": "Upper", "rows": [{"a": 1}]}, "name"),
        ({"name": "runs", "rows": [{"a": 1}]}, "name"),
        ({"name": "_applied", "rows": [{"a": 1}]}, "name"),
        ({"name": "pg_class", "rows": [{"a": 1}]}, "name"),
        ({"name": "t"}, "rows"),
        ({"name": "t", "rows": []}, "rows"),
        ({"name": "t", "rows": [{}]}, "rows"),
        ({"name": "t", "rows": ["x"]}, "rows[0]"),
        ({"name": "t", "rows": "x"}, "rows"),
        ({"name": "t", "rows": [{f"c{n}": 1 for n in range(300)}]}, "rows"),
        ({"name": "t", "rows": [{"a": 1}], "mode": "merge"}, "mode"),
    ],
)
def test_a_wrong_table_is_refused_by_its_field(api: "APIClient", tenant: "Tenant", body: Any, field: str) -> None:
    answer = api.post(URL, body, format="json")
    assert answer.status_code == 400 and field in answer.json()["context"]["errors"], answer.content
    assert list_tables(tenant.pk) == []


def test_a_value_that_does_not_fit_is_named_and_nothing_is_appended(api: "APIClient", tenant: "Tenant") -> None:
    make(api, "t", [{"n": 1}])
    answer = make(api, "t", [{"n": 2}, {"n": "many"}], mode="append")
    assert answer.status_code == 400 and list(answer.json()["context"]["errors"]) == ["rows[1].n"]
    assert list_tables(tenant.pk)[0].rows == 1


def test_a_value_that_the_database_refuses_is_refused_too(api: "APIClient", tenant: "Tenant") -> None:
    make(api, "t", [{"n": 1}])
    answer = make(api, "t", [{"n": "99999999999999999999"}], mode="append")
    assert answer.status_code == 400 and list_tables(tenant.pk)[0].rows == 1
    csv = SimpleUploadedFile("x.csv", b"d\n2020-02-01\n", "text/csv")
    assert api.post(URL, {"name": "days", "file": csv}, format="multipart").status_code == 201
    assert make(api, "days", [{"d": "2020-02-31"}], mode="append").status_code == 400


def test_columns_are_not_called_as_those_that_every_table_has(api: "APIClient") -> None:
    assert [column["name"] for column in make(api, "t", [{"ctid": 1, "xmin": 2}]).json()["columns"]] == [
        "ctid_2",
        "xmin_2",
    ]


@pytest.mark.parametrize("text", ["", "\n", "a\n1,2\n", 'a,b\n"x\n', "a" * 1_100_000])
def test_a_broken_csv_is_refused(api: "APIClient", tenant: "Tenant", text: str) -> None:
    file = SimpleUploadedFile("x.csv", text.encode(), "text/csv")
    assert api.post(URL, {"name": "t", "file": file}, format="multipart").status_code == 400
    assert list_tables(tenant.pk) == []


def test_users_read_and_other_tenants_see_nothing(api: "APIClient", tenant: "Tenant", other_tenant: "Tenant") -> None:
    make(api, "t", [{"a": 1}])
    user, stranger = log_in(make_user(tenant)), log_in(make_user(other_tenant, role="admin"))
    assert [row["name"] for row in user.get(URL).json()] == ["t"]
    assert make(user, "u", [{"a": 1}]).status_code == 403 and user.delete(f"{URL}/t").status_code == 403
    assert stranger.get(URL).json() == [] and stranger.delete(f"{URL}/t").status_code == 404
    assert make(stranger, "t", [{"a": "theirs"}]).status_code == 201
    assert api.delete(f"{URL}/t").json()["message"] and api.get(URL).json() == []
    assert api.delete(f"{URL}/t").status_code == 404


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Path]:
    """A folder with a CSV whose columns are known at its end only, and one JSON file."""
    lines = ["id,late,note", *(f"{n},{n},x" for n in range(25_000)), "25000,not a number,"]
    (tmp_path / "My Data.csv").write_text("\n".join(lines))
    (tmp_path / "rows.json").write_text(json.dumps([{"a": 1}, {"a": 2.5}]))
    (tmp_path / "bad.json").write_text('{"a": 1}')
    yield tmp_path


def test_the_command_loads_files_of_any_size(tenant: "Tenant", files: Path) -> None:
    output = StringIO()
    call_command("load_data", files / "My Data.csv", tenant=tenant.pk, json=True, stdout=output)
    body = json.loads(output.getvalue())
    assert (body["name"], body["rows"]) == ("my_data", 25_001)
    assert types(body) == {"id": "integer", "late": "text", "note": "text"}
    call_command("load_data", files / "rows.json", tenant=tenant.pk, table="numbers", json=True, stdout=StringIO())
    assert [(table.name, table.rows) for table in list_tables(tenant.pk)] == [("my_data", 25_001), ("numbers", 2)]


@pytest.mark.parametrize("name", ["bad.json", "none.csv"])
def test_the_command_says_what_is_wrong(tenant: "Tenant", files: Path, name: str) -> None:
    with pytest.raises(CommandError):
        call_command("load_data", files / name, tenant=tenant.pk, json=True)
    with pytest.raises(CommandError, match="no tenant"):
        call_command("load_data", files / "rows.json", tenant="ghost", json=True)


def test_the_command_keeps_digits_of_json_and_tells_types_and_names(tenant: "Tenant", tmp_path: Path) -> None:
    raw = (
        '[{"Id": 123456789012345678901234567890, "x": 0.1234567890123456789, "n": 1.50, "É": {"a": [1e2]}}, {"id": 5}]'
    )
    (tmp_path / "Relatório.json").write_text(raw)
    output = StringIO()
    call_command("load_data", tmp_path / "Relatório.json", tenant=tenant.pk, stdout=output)
    lines = output.getvalue().splitlines()
    assert lines[0] == "relatorio: 2 rows"
    assert "  id text: '123456789012345678901234567890' (rows[0]) is a whole number of more than 64 bits." in lines
    assert "  x text: '0.1234567890123456789' (rows[0]) is a text." in lines
    assert "  n number: Each value is a number." in lines and any(line.startswith("  e json: ") for line in lines)
    assert "  Column 5, 'id', is called id_2: the name id is taken." in lines


def test_the_command_reads_a_file_of_excel(tenant: "Tenant", tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("sep=;\r\nPreço;Código\r\n1,5;007\r\n".encode("utf-16"))
    output = StringIO()
    call_command("load_data", tmp_path / "a.csv", tenant=tenant.pk, json=True, stdout=output)
    body = json.loads(output.getvalue())
    assert types(body) == {"preco": "text", "codigo": "text"} and body["notes"] == []


@pytest.mark.parametrize(
    "name,raw,sentence",
    [
        ("a.csv", b"a,b\n1,2\n3,4,5\n", "Line 3 has 3 values"),
        (
            "a.csv",
            b"n\n" + b"1\n" * 25_000 + b"x\n",
            "Line 25002, column n: 'x' is a text; the column is of type integer",
        ),
        ("a.json", b'[{"a": NaN}]', "NaN is no JSON; write null"),
        ("a.json", b'[{"a": "\\u0000"}]', "NUL"),
        ("a.json", b'[{"a": {"b": "\\ud83d"}}]', "half a character"),
        ("a.json", b'[{"a": ' + b"[" * 70 + b"]" * 70 + b"}]", "64 levels"),
    ],
)
def test_the_command_names_the_place_and_changes_nothing(
    tenant: "Tenant", tmp_path: Path, name: str, raw: bytes, sentence: str
) -> None:
    load_table(tenant.pk, "a", [{"n": 1, "a": "x"}], "create", from_text=False)
    (tmp_path / name).write_bytes(raw)
    mode = "append" if raw.startswith(b"n") else "replace"
    with pytest.raises(CommandError, match=re.escape(sentence)):
        call_command("load_data", tmp_path / name, tenant=tenant.pk, mode=mode, json=True)
    assert [(table.name, table.rows) for table in list_tables(tenant.pk)] == [("a", 1)]
