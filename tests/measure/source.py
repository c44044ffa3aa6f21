"""The product's source files: parsed once, without tests and migrations."""

import ast
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("config", "accounts", "governance", "orchestration", "memory", "agents", "teams", "observability")
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class SourceFile:
    """One Python file: its path below the repository, its text, its syntax tree."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        return self.text.count("\n")

    def functions(self) -> list[Function]:
        return [node for node in ast.walk(self.tree) if isinstance(node, Function)]

    def classes(self) -> list[ast.ClassDef]:
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]


def length(node: Function | ast.ClassDef) -> int:
    """Lines from the first decorator to the end."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    return (node.end_lineno or node.lineno) - first + 1


@cache
def product_files() -> tuple[SourceFile, ...]:
    """The Python files of all apps."""
    paths = [path for app in APPS for path in sorted((ROOT / app).rglob("*.py")) if "migrations" not in path.parts]
    return tuple(SourceFile(str(path.relative_to(ROOT)), path.read_text()) for path in paths)


@cache
def test_files() -> tuple[SourceFile, ...]:
    """The Python files of the tests."""
    paths = sorted((ROOT / "tests").rglob("*.py"))
    return tuple(SourceFile(str(path.relative_to(ROOT)), path.read_text()) for path in paths)
