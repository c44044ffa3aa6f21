"""Paths in a workspace, in the one spelling in which policies, records and tools see them."""

from agents.sandbox.limits import WORKSPACE
from config.errors import Invalid
from memory.files.paths import checked_path, is_blank


def file_path(path: str, field: str = "path") -> str:
    """The path of a file, relative to the workspace; Invalid for one that the workspace would refuse."""
    return checked_path(relative_path(path, field), field)


def folder_path(path: str, field: str = "path") -> str:
    """The path of a folder, relative to the workspace; "." for the workspace itself."""
    relative = relative_path(path, field)
    return checked_path(relative, field) if relative else "."


def relative_path(path: str, field: str = "path") -> str:
    """The path without `.`, doubled slashes and /workspace, as which commands know the workspace; "" for the workspace
    itself. Invalid for other absolute paths and blank names.
    """
    while (relative := _strip(path, field)) != path:  # "./ x" begins with a blank once its dot is gone
        path = relative
    return relative


def _strip(path: str, field: str) -> str:
    plain = path.strip().replace("\\", "/")
    if plain and any(part and is_blank(part) for part in path.replace("\\", "/").split("/")):
        raise Invalid({field: ["No name in it may be blank."]})
    if plain == WORKSPACE or plain.startswith(f"{WORKSPACE}/"):
        plain = plain[len(WORKSPACE) :].lstrip("/")
    elif plain.startswith("/"):
        raise Invalid({field: [f"Must be a path in the workspace, such as src/main.py, not {path[:100]!r}."]})
    parts = [part for part in plain.split("/") if part not in ("", ".")]
    return "/".join(parts)
