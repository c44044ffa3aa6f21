"""manage.py seed_demo and run_workflow: from nothing to a finished run of one's own file."""

import json
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts.models import Tenant, User
from config.settings import BASE_DIR
from orchestration.models import Run, Workflow
from orchestration.terminal.display import plain
from orchestration.terminal.input_files import MAX_BYTES, MAX_ROWS, UnusableFile, read_input
from orchestration.workflows.definition.workflow_versions import create_workflow
from tests.orchestration.definitions import graph, node
from tests.orchestration.running import EngineThread


def told(command: str, *args: str) -> str:
    """What the command prints."""
    out = StringIO()
    call_command(command, *args, stdout=out)
    return out.getvalue()


def test_seeding_twice_makes_one_demo_and_tells_the_same(db: None, settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path
    first, again = (json.loads(told("seed_demo", "--json")) for _ in range(2))
    assert first == again and set(first) == {"email", "password"}
    assert User.objects.get(email=first["email"]).check_password(first["password"])
    assert Workflow.objects.for_tenant("demo").get().name == "Ticket Triage"
    assert stat.S_IMODE((tmp_path / "demo_credentials.json").stat().st_mode) == 0o600


def test_a_given_password_counts(
    db: None, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    told("seed_demo")
    monkeypatch.setenv("DEMO_PASSWORD", "given-Horse-7")
    assert json.loads(told("seed_demo", "--json"))["password"] == "given-Horse-7"
    assert User.objects.get().check_password("given-Horse-7")


def test_the_example_file_is_readable() -> None:
    tickets = read_input(BASE_DIR / "examples" / "tickets.csv", "tickets")["tickets"]
    assert len(tickets) == 20 and all(ticket["id"] and ticket["subject"] for ticket in tickets)


@pytest.mark.parametrize(
    "name,content,rows",
    [
        (
            "a.csv",
            'id,subject\n1,Leak\n2,"Noise, loud"\n',
            [{"id": "1", "subject": "Leak"}, {"id": "2", "subject": "Noise, loud"}],
        ),
        ("a.csv", "\ufeffid;subject\r\n1;Leak\r\n\r\n", [{"id": "1", "subject": "Leak"}]),
        ("a.tsv", "id\tsubject\n1\n", [{"id": "1", "subject": ""}]),
        ("a.csv", "Name, first ;n\n Ana ;007\n", [{"Name, first ": " Ana ", "n": "007"}]),
        ("a.csv", '"Full\nname","a ""b"""\n"x\ny",NO\n', [{"Full\nname": "x\ny", 'a "b"': "NO"}]),
        ("a.csv", '"Prices, in R$";Qty\n"1,50";2\n', [{"Prices, in R$": "1,50", "Qty": "2"}]),
        ("a.csv", "a (x, y);b (z, w);c\n1;2;3\n", [{"a (x, y)": "1", "b (z, w)": "2", "c": "3"}]),
        ("a.csv", "a,b,,\n1,2,3,4\n", [{"a": "1", "b": "2", "column_3": "3", "column_4": "4"}]),
        ("a.csv", "a,a,A,a_2\n1,2,3,4\n", [{"a": "1", "a_3": "2", "A": "3", "a_2": "4"}]),
        ("a.csv", "sep=;\na;b\n1;2\n", [{"a": "1", "b": "2"}]),
        ("a.csv", "Descrição\nç\n", [{"Descrição": "ç"}]),
        ("a.json", '[{"id": 1}]', [{"id": 1}]),
        ("a.txt", '[{"id": 1}]', [{"id": 1}]),
    ],
)
def test_rows_are_read_from_csv_and_json(tmp_path: Path, name: str, content: str, rows: list) -> None:
    (tmp_path / name).write_text(content, newline="")
    assert read_input(tmp_path / name, "things") == {"things": rows}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
@pytest.mark.parametrize("name", ["a.csv", "a.json"])
def test_a_file_is_read_in_its_encoding(tmp_path: Path, encoding: str, name: str) -> None:
    text = "Descrição,preço em €\nchá,1\n" if name == "a.csv" else '[{"Descrição": "chá", "preço em €": "1"}]'
    (tmp_path / name).write_bytes(text.encode(encoding))
    assert read_input(tmp_path / name, "rows") == {"rows": [{"Descrição": "chá", "preço em €": "1"}]}


def test_a_json_object_is_the_input_itself(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"hotel_id": "VV"}')
    assert read_input(tmp_path / "a.json", "rows") == {"hotel_id": "VV"}


@pytest.mark.parametrize(
    "content,sentence",
    [
        (b"", "is empty"),
        (b"id,subject\n", "no rows"),
        (b"id,subject\n1,a,b\n", "Line 2 has 3 values, but there are 2 columns"),
        ("id,subject\n1,caf\u00e9\n2,".encode() + b"caf\xe9", r"not UTF-8 throughout: see byte 25 \(line 3\)"),
        (b"id\n\0\n", "NUL"),
        (b'id\n"open', "line 2"),
        (b"x" * (MAX_BYTES + 1), f"{MAX_BYTES:,}"),
        (b"id\n" + b"1\n" * (MAX_ROWS + 1), f"{MAX_ROWS:,}"),
        (b",".join(b"c%d" % n for n in range(60)) + b"\n1\n", "60 columns"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(UnusableFile, match=sentence):
        read_input(tmp_path / "a.csv", "tickets")


@pytest.mark.parametrize("content", [b"{", b"5", b"[1]", b'{"a": 1e999}', b"[]"])
def test_json_that_cannot_be_used_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UnusableFile):
        read_input(tmp_path / "a.json", "tickets")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        read_input(tmp_path / "none.csv", "tickets")


def flow(acme: Tenant, output: Any) -> Workflow:
    """A workflow that answers this, and fails when the input has no list `tickets`."""
    each = node("each", "map", items="$input.tickets", node={"type": "transform", "config": {"output": "$item"}})
    return create_workflow(
        acme.id, {"name": "Triage", "definition": graph(each, node("end", "transform", output=output))}
    )


def test_a_run_is_started_watched_and_told(engine: EngineThread, acme: Tenant, tmp_path: Path) -> None:
    flow(acme, {"summary": "one \x1b[31m[red]ticket[/red]", "tickets": "$steps.each"})
    (tmp_path / "t.csv").write_text("id,subject\nT-7,Leak\n")
    out = told("run_workflow", "Triage", "--tenant", acme.id, "--input", str(tmp_path / "t.csv"))
    assert "each" in out and "completed" in out and "T-7" in out
    assert "one [31m[red]ticket[/red]" in out and "\x1b" not in out


def test_json_is_the_finished_run_and_nothing_else(engine: EngineThread, acme: Tenant, tmp_path: Path) -> None:
    flow(acme, "$steps.each")
    (tmp_path / "t.json").write_text('{"tickets": [{"id": 1}]}')
    body = json.loads(
        told("run_workflow", "Triage", "--tenant", acme.id, "--input", str(tmp_path / "t.json"), "--json")
    )
    assert (body["status"], body["result"], body["mode"]) == ("completed", [{"id": 1}], "auto")


def test_a_failed_run_ends_with_exit_code_1(engine: EngineThread, acme: Tenant) -> None:
    flow(acme, 1)
    with pytest.raises(SystemExit) as end:
        told("run_workflow", "Triage", "--tenant", acme.id)
    assert end.value.code == 1


def test_without_an_engine_it_says_so_and_starts_nothing(acme: Tenant) -> None:
    flow(acme, 1)
    with pytest.raises(CommandError, match="No engine is alive") as fault:
        told("run_workflow", "Triage", "--tenant", acme.id, "--engine-wait", "0")
    assert fault.value.returncode == 2 and not Run.all_tenants.exists()
    assert told("run_workflow", "Triage", "--tenant", acme.id, "--detach").strip() == str(Run.all_tenants.get().id)


@pytest.mark.parametrize("name,who,sentence", [("Nothing", "acme", "'Triage'"), ("Triage", "nobody", "no tenant")])
def test_what_does_not_exist_is_told_with_what_does(acme: Tenant, name: str, who: str, sentence: str) -> None:
    flow(acme, 1)
    with pytest.raises(CommandError, match=sentence):
        told("run_workflow", name, "--tenant", who)


def test_control_characters_never_reach_the_terminal() -> None:
    assert plain("a\x1b[2Jb\x07\x9bc").plain == "a[2Jbc"
