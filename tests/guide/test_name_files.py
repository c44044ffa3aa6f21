"""Documents name files that exist."""

import re
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAME = re.compile(r"(?<![\w/.*{<-])((?:[\w-]+/)*[\w-]+\.(?:py|sql|sh|yml|yaml))\b")
# Files of the reader, and names in samples.
OTHERS = {"acme_regente.py", "src/main.py"}


@cache
def tracked() -> list[str]:
    return subprocess.check_output(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, text=True).splitlines()


def documents() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


@pytest.mark.parametrize("document", documents(), ids=lambda document: document.stem)
def test_each_file_that_a_document_names_exists(document: Path) -> None:
    names = set(NAME.findall(document.read_text())) - OTHERS
    missing = [name for name in sorted(names) if not any(f"/{path}".endswith(f"/{name}") for path in tracked())]
    assert missing == []
