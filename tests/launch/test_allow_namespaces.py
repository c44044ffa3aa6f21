"""compose/allow_namespaces.py: Docker's seccomp profile, and what bubblewrap needs beside it."""

import json
import subprocess
import sys

import pytest

from config import embedded_servers

SCRIPT = embedded_servers.BASE_DIR / "compose" / "allow_namespaces.py"
PROFILE = {
    "defaultAction": "SCMP_ACT_ERRNO",
    "defaultErrnoRet": 1,
    "syscalls": [{"names": ["read", "write"], "action": "SCMP_ACT_ALLOW"}],
}


def changed(profile: str) -> subprocess.CompletedProcess[str]:
    """What the script makes of it."""
    return subprocess.run([sys.executable, str(SCRIPT)], input=profile, capture_output=True, text=True, check=False)


def test_one_rule_is_added_and_all_else_stays() -> None:
    made = json.loads(changed(json.dumps(PROFILE)).stdout)
    rule = made["syscalls"].pop()
    assert made == PROFILE
    assert rule["action"] == "SCMP_ACT_ALLOW"
    assert set(rule["names"]) == {"clone", "mount", "pivot_root", "sethostname", "umount2", "unshare"}


@pytest.mark.parametrize("profile", ["", "404: Not Found", "[]", "{}", '{"syscalls": 5}'])
def test_what_is_no_profile_is_refused(profile: str) -> None:
    refused = changed(profile)
    assert refused.returncode == 1 and not refused.stdout and "not a seccomp profile" in refused.stderr
