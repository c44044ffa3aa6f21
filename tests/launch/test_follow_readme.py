"""README.md by its letter: its blocks in their order, in one shell, on a port that nobody expects; then once more."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.sandbox import sandboxed_command
from config import embedded_servers
from tests.product import NOT_INHERITED, Product, fresh_folder, started

README = (embedded_servers.BASE_DIR / "README.md").read_text()
BLOCKS = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
MARK = "<<<block"
# What a reader must see after a block: its first words → patterns in its output.
SHOWN = {
    ".venv/bin/python manage.py run_workflow": ["completed", "urgent"],
    "RUN=$(api $BASE/workflows/$FLOW/runs": ['"type":"connected"', "approval_requested"],
    "api -X PATCH $BASE/runs/$RUN/resume": [r'"status": "completed"', r'"refunded": true'],
    "stream 30 $BASE/agents/agent.concierge": ["Ana Souza prefers tea", "offline model"],
    "api $BASE/data/tables": [r'"rows": 2', r"tickets: 20 rows"],
    "TEAM=$(api": ["status_update", "agent.ticket_triage", "agent.concierge", r'"status": "completed"'],
    "JOB=$(api": [r'"status": "succeeded"', r'"level"'],
    "api $BASE/metrics": [r'"by_status"', r"# TYPE runs_total"],
    "api $BASE/alerts/configs": [r'"hypotheses"', r'"status": "succeeded"'],
    "api $URL/health": [r'"state": "completed"', "hello.txt"],
    "POLICY=$(api": ["approval_requested"],
    "QUESTION=$(api": [r'"status": "completed"', "read by me"],
    "DRAFT=$(api": [r'"status": "staged"', r'"status": "discarded"'],
    "BUDGET=$(api": [r'"limit_cents": 1', r'"action"'],
}


@dataclass
class Block:
    """What came of a block of the README."""

    text: str
    status: int
    output: str


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A product on a port and data folder of its own, as fast as it is shipped."""
    with fresh_folder() as folder, started(folder, OFFLINE_WORDS_PER_S="25") as one:
        yield one.ready()


@pytest.fixture(scope="module")
def first(product: Product) -> list[Block]:
    """A pass over all blocks, in a terminal of its own."""
    return followed(product)


@pytest.fixture(scope="module")
def second(product: Product, first: list[Block]) -> list[Block]:
    """All once more, on what the first pass has left."""
    return followed(product)


def followed(product: Product) -> list[Block]:
    """Every block in one shell; a block's status is that of its first command that fails, assignments too."""
    begin = "failed=; trap 'failed=${failed:-$?}' ERR"
    parts = [f"{begin}\n{text}\ntrap - ERR\necho; echo '{MARK}' $number ${{failed:-0}}\n" for text in BLOCKS]
    script = "\n".join(f"number={number}\n{part}" for number, part in enumerate(parts))
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    kept |= {"DATA_DIR": str(product.data_dir), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    shell = subprocess.run(
        ["bash", "-c", script],
        cwd=embedded_servers.BASE_DIR,
        env=kept,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    ended = re.split(rf"^{MARK} (\d+) (\d+)\n", shell.stdout, flags=re.MULTILINE)
    assert len(ended) == 3 * len(BLOCKS) + 1, shell.stdout[-2000:] + shell.stderr[-2000:]
    outputs, statuses = ended[0::3], ended[2::3]
    blocks = [Block(*each) for each in zip(BLOCKS, map(int, statuses), outputs, strict=False)]
    failed = [block for block in blocks if block.status]
    assert not failed, "\n".join(f"{block.text}→ {block.status}\n{block.output}" for block in failed) + shell.stderr
    return blocks


def test_no_block_fails(first: list[Block]) -> None:
    assert [block.status for block in first] == [0] * len(BLOCKS)


def test_no_block_fails_in_a_second_pass(second: list[Block]) -> None:
    assert [block.status for block in second] == [0] * len(BLOCKS)


@pytest.mark.skipif(bool(sandboxed_command.unavailable_reason()), reason="no sandbox can be made here")
@pytest.mark.parametrize("begin", SHOWN)
def test_what_matters_is_there_to_see(first: list[Block], second: list[Block], begin: str) -> None:
    for blocks in (first, second):
        found = [block for block in blocks if block.text.startswith(begin)]
        assert len(found) == 1, f"one block of the README begins with {begin}"
        for pattern in SHOWN[begin]:
            assert re.search(pattern, found[0].output), f"no {pattern} in\n{found[0].output}"


def test_the_address_and_the_credentials_are_told_and_kept_for_their_owner_alone(product: Product) -> None:
    assert (product.data_dir / "run" / "url").read_text() == f"{product.url}\n"
    for name, email in (("demo", "demo@example.com"), ("operator", "admin@example.com")):
        file = product.data_dir / f"{name}_credentials.json"
        assert file.stat().st_mode & 0o777 == 0o600
        kept = json.loads(file.read_text())
        assert kept["email"] == email and kept["password"] in str(product)
    for told in ("/docs", "/admin/", "README.md"):
        assert product.says(re.escape(told))


def test_where_nothing_runs_the_examples_say_so(tmp_path: Path) -> None:
    done = subprocess.run(
        ["bash", "-c", ". examples/api.sh"],
        cwd=embedded_servers.BASE_DIR,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "wait for the ready line of make run" in done.stderr


def test_the_readme_asks_for_no_program_by_name_to_be_killed_and_installs_nothing() -> None:
    assert not re.search(r"pkill|killall|pip install|127\.0\.0\.1:8000/", "".join(BLOCKS))
