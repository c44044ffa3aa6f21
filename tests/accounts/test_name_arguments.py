"""Arguments of our management commands that name something: what is not there is a sentence, and no exit code 0."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command, get_commands

from accounts.models import Tenant
from governance.audit.chain import seal

OURS = {"accounts", "governance", "orchestration", "memory", "agents", "teams", "observability", "config"}
FILE = "rows.csv"
UNKNOWN = [
    ("verify_audit", ["nope"], "nope"),
    ("verify_audit", ["acme", "nope", "neither"], "'nope', 'neither'"),
    ("verify_audit", [""], "''"),
    ("reembed", ["--tenant", "nope"], "nope"),
    ("reembed", ["--tenant", ""], "''"),
    ("load_data", [FILE, "--tenant", "nope"], "nope"),
    ("load_data", ["missing.csv", "--tenant", "acme"], "missing.csv"),
    ("load_data", [FILE, "--tenant", "acme", "--table", "no table"], "small letters"),
    ("load_data", [FILE, "--tenant", "acme", "--mode", "merge"], "merge"),
    ("run_workflow", ["flow", "--tenant", "nope"], "nope"),
    ("run_workflow", ["flow", "--tenant", "acme"], "flow"),
    ("run_workflow", ["01a22c42-60a0-70b4-bfd2-8a759e4331f1", "--tenant", "acme"], "01a22c42"),
    ("create_api_key", ["nobody@example.com"], "nobody@example.com"),
    ("create_api_key", [""], "address"),
    ("create_api_key", ["nobody@example.com", "--permissions", "all"], "all"),
    ("index_memory", ["--least", "0"], "--least"),
]
NAME_NOTHING = {"ensure_operator", "rotate_secrets", "seed_demo"}


@pytest.fixture
def acme(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tenant:
    """A tenant, and a file in the folder at hand."""
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text("a,b\n1,2\n")
    return Tenant.objects.create(id="acme", name="Acme")


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(("command", "arguments", "named"), UNKNOWN)
def test_what_is_not_there_is_named(command: str, arguments: list[str], named: str) -> None:
    out = StringIO()
    with pytest.raises(CommandError) as refusal:
        call_command(command, *arguments, stdout=out)
    assert named in str(refusal.value) and refusal.value.returncode != 0
    assert "\n" not in str(refusal.value) and out.getvalue() == ""


def test_what_is_there_is_taken(acme: Tenant) -> None:
    seal(acme.pk)
    out = StringIO()
    call_command("verify_audit", "acme", stdout=out)
    call_command("load_data", FILE, "--tenant", "acme", "--json", stdout=out)
    assert out.getvalue().startswith("acme: holds") and '"rows": 1' in out.getvalue()


def test_each_command_of_ours_is_tried_here() -> None:
    ours = {name for name, app in get_commands().items() if app in OURS}
    assert ours == {command for command, _, _ in UNKNOWN} | NAME_NOTHING
