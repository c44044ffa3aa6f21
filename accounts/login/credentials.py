"""Passwords that this installation makes for accounts of its own, each kept in a file that only its owner can read."""

import json
import os
import secrets
from pathlib import Path

CHANGED_PASSWORD = "(changed by its user)"


def stored_password(file: Path, email: str) -> str:
    """The password in the file; a new one when there is no file yet."""
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as new:
            json.dump({"email": email, "password": secrets.token_urlsafe(12)}, new)
    except FileExistsError:
        pass
    return str(json.loads(file.read_text())["password"])
