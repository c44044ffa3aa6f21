"""`python -m config.launch exec`: a command with the embedded servers up."""

import os
import subprocess
import sys
from pathlib import Path

from config import embedded_servers
from tests.product import NOT_INHERITED, Product

COUNT = (
    "import sys, psycopg; from config import embedded_servers; "
    "url = embedded_servers.database_url(embedded_servers.data_dir()); "
    "print(psycopg.connect(url).execute('SELECT 6 * 7').fetchone()[0])"
)


def execute(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What came of it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    command = [sys.executable, "-m", "config.launch", "exec", *arguments]
    return subprocess.run(
        command,
        cwd=embedded_servers.BASE_DIR,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_command_finds_temporary_servers_that_are_gone_afterwards(data_dir: Path) -> None:
    done = execute("--temporary", "--", sys.executable, "-c", COUNT, TMPDIR=str(data_dir))
    assert done.stdout.splitlines()[-1] == "42", done.stderr
    assert list(data_dir.iterdir()) == []


def test_its_exit_status_is_passed_on() -> None:
    assert execute("--temporary", "--", "sh", "-c", "exit 7").returncode == 7


def test_on_a_running_product_it_uses_the_servers_of_that(product: Product) -> None:
    done = execute("--", sys.executable, "-c", COUNT, DATA_DIR=str(product.data_dir))
    assert done.stdout == "42\n", done.stderr
    assert product.process.poll() is None


def test_without_a_command_it_tells_its_usage() -> None:
    refused = execute()
    assert refused.returncode != 0
    assert refused.stderr.startswith("usage: ")
