"""Requests that schemathesis generates from the API document: the document forbids no response to them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.product import Product

CHECKS = "response_schema_conformance,status_code_conformance,content_type_conformance,not_a_server_error"
# Streams stay open; these end or change the session that the requests are made with.
LEFT_OUT = r"(stream|/conversation|auth/(logout|password|refresh))$"


@pytest.mark.timeout(900)  # some 1,500 requests
def test_no_response_is_one_that_its_schema_forbids(live: Product, token: str, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{live.url}/openapi.json"]
    command += ["--header", f"Authorization: Bearer {token}", "--checks", CHECKS, "--exclude-path-regex", LEFT_OUT]
    command += ["--phases", "fuzzing,stateful", "--max-examples", "3", "--seed", "1", "--workers", "2"]
    command += ["--request-timeout", "35", "--continue-on-failure", "--no-color"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"CI": "true"})
    assert result.returncode == 0, result.stdout[-20_000:]
