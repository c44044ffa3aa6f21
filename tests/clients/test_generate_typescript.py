"""Types that openapi-typescript generates: without warnings, and a program typed by them runs the README's story."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import Account
from tests.product import Product

PROJECT = Path(__file__).parent / "typescript"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The TypeScript project with its packages; skipped where they cannot be installed."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed")
    folder = shutil.copytree(PROJECT, tmp_path / "typescript")
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=0"]
    installed = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if installed.returncode:
        pytest.skip(f"npm cannot install the packages: {installed.stderr.strip().splitlines()[-1:]}")
    return folder


def test_the_types_come_without_warnings_and_the_program_approves_a_refund(
    live: Product, account: Account, document: Path, project: Path
) -> None:
    def run(*command: str, **environment: str) -> str:
        result = subprocess.run(
            command, cwd=project, capture_output=True, text=True, env=os.environ | environment, timeout=150
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout + result.stderr

    types = run("node_modules/.bin/openapi-typescript", str(document), "-o", "api.d.ts", "--default-non-nullable=false")
    assert "warn" not in types.lower()
    run("node_modules/.bin/tsc")
    printed = run("node", "story.js", BASE_URL=live.url, EMAIL=account.email, PASSWORD=account.password)
    assert printed.strip() == '{"status":"completed","result":{"refunded":true}}'
