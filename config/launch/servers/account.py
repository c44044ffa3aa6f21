"""PostgreSQL refuses to run as root: which account it runs as then, and how that account reaches its files."""

import os
import pwd
import shutil
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path

from config.launch.orphans import tie_to_parent

CANDIDATES = ("regente", "nobody", "daemon")
ACL = "system.posix_acl_access"
ACL_VERSION = 2
ANYBODY = 0xFFFFFFFF


class AccountUnusable(SystemExit):
    """PostgreSQL's account cannot be found, or cannot reach a folder that it needs."""


@dataclass(frozen=True)
class Account:
    """An account of the system."""

    uid: int
    gid: int
    name: str

    @property
    def ids(self) -> tuple[int, int]:
        """What setuid and setgid need."""
        return self.uid, self.gid


def for_postgres(folder: Path) -> Account | None:
    """The account that owns PostgreSQL's folder, else an unprivileged one; None, meaning ours, when we are not root."""
    if os.geteuid() != 0:
        if folder.exists() and folder.stat().st_uid != os.geteuid():
            raise AccountUnusable(
                f"{folder} belongs to another account ({_name(folder.stat().st_uid)}): run as that one or set DATA_DIR."
            )
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return Account(folder.stat().st_uid, folder.stat().st_gid, _name(folder.stat().st_uid))
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise AccountUnusable(
        f"PostgreSQL does not run as root and none of the accounts {', '.join(CANDIDATES)} exists: "
        "make one with `useradd --system regente`, run as an ordinary user, or set DATABASE_URL."
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def our_name() -> str:
    """The name of the account that we run as."""
    return _name(os.geteuid())


def assign(folder: Path, account: Account | None, mode: int = 0o700) -> None:
    """The folder exists with this mode and belongs to the account (to us when None)."""
    folder.mkdir(parents=True, exist_ok=True)
    if account:
        os.chown(folder, account.uid, account.gid)
    folder.chmod(mode)


def grant_passage(target: Path, account: Account | None, reason: str) -> None:
    """The account can pass through every folder above `target`; what is changed is printed."""
    if account is None:
        return
    for folder in reversed(target.parents):
        if not folder.stat().st_mode & 0o001 and not _may_pass(folder, account):
            _grant_passage(folder, account, reason)


def _may_pass(folder: Path, account: Account) -> bool:
    """Asked as the account itself: owner, group and access lists all count."""
    command = tie_to_parent([shutil.which("test") or "/bin/test", "-x", str(folder)], user=account.ids)
    return subprocess.run(command, cwd="/", check=False).returncode == 0


def _grant_passage(folder: Path, account: Account, reason: str) -> None:
    """The account may pass: by an access entry for it alone, or else by o+x, but that not on anybody's home."""
    try:
        os.setxattr(folder, ACL, _acl(folder, account))
        print(f"Let the account {account.name} pass through {folder} ({reason}).", flush=True)
    except (OSError, AttributeError):
        if any(Path(entry.pw_dir) == folder for entry in pwd.getpwall()):
            raise AccountUnusable(
                f"The account {account.name}, as which PostgreSQL runs, cannot pass through {folder} ({reason}): run "
                f"`chmod o+x {folder}`, or move the project or DATA_DIR elsewhere, or run as an ordinary user."
            ) from None
        folder.chmod(folder.stat().st_mode | 0o001)
        print(f"Made {folder} passable for the account {account.name} with chmod o+x ({reason}).", flush=True)


def _acl(folder: Path, account: Account) -> bytes:
    """The folder's mode as an access list, plus `x` for the account."""
    mode = folder.stat().st_mode
    entries = [
        (0x01, mode >> 6 & 7, ANYBODY),  # the owner
        (0x02, 1, account.uid),
        (0x04, mode >> 3 & 7, ANYBODY),  # the group
        (0x10, mode >> 3 & 7 | 1, ANYBODY),  # the mask: the most that the two above may be given
        (0x20, mode & 7, ANYBODY),  # the others
    ]
    if ACL in os.listxattr(folder):
        raise OSError("somebody keeps an access list on this folder; it is not ours to replace")
    return struct.pack("<I", ACL_VERSION) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
