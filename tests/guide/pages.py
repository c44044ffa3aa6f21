"""The pages of docs/guide: their generated parts, and their samples."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.guide.tables import TABLES

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "guide"
PARTS = re.compile(r"(<!-- generated: (?P<name>[a-z ]+) -->\n)(?:(?!<!-- end).*?\n)??(<!-- end -->)", re.DOTALL)
BLOCKS = re.compile(r"^```(?P<language>http|json)(?P<options>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    return sorted(FOLDER.glob("*.md"))


def regenerated(page: str) -> str:
    """The page with each generated part made anew."""
    return PARTS.sub(lambda part: f"{part[1]}{TABLES[part['name']]()}\n{part[3]}", page)


@dataclass(frozen=True)
class Sample:
    """A request of the guide, and what its answer, or the result of the run that it starts, must hold.

    Its block begins with ```` ```http ````; `save=NAME` keeps the answer's id for `{NAME}` in later blocks, `status=N`
    expects that status. A `json` block with `result` behind it is the result of the run that was started last.
    """

    method: str
    path: str
    body: Any
    save: str
    status: int
    result: Any = None

    def with_names(self, names: dict[str, str]) -> tuple[str, Any]:
        """(path, body) with what earlier samples saved filled in."""
        path, body = self.path, json.dumps(self.body)
        for name, value in names.items():
            path, body = path.replace(f"{{{name}}}", value), body.replace(f"{{{name}}}", value)
        return path, json.loads(body)


def samples(page: str) -> list[Sample]:
    """The page's samples in order."""
    found: list[Sample] = []
    for block in BLOCKS.finditer(page):
        options = dict(part.partition("=")[::2] for part in block["options"].split())
        if block["language"] == "http":
            head, _, body = block["text"].partition("\n")
            method, _, path = head.partition(" ")
            value = json.loads(body) if body.strip() else None
            found.append(Sample(method, path, value, options.get("save", ""), int(options.get("status", 0))))
        elif "result" in options:
            last = found.pop()
            found.append(Sample(*[getattr(last, name) for name in ("method", "path", "body", "save", "status")],
                                result=json.loads(block["text"])))  # fmt: skip
    return found
