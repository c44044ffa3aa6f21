"""Docker's seccomp profile, with what bubblewrap needs to make a sandbox: from standard input to standard output.

    curl -fsSL https://raw.githubusercontent.com/moby/profiles/main/seccomp/default.json |
        python3 compose/allow_namespaces.py > compose/seccomp.json

Docker allows these calls to privileged containers alone. Each of the six is needed: without any one bubblewrap ends.
"""

import json
import sys

NEEDED = ["clone", "mount", "pivot_root", "sethostname", "umount2", "unshare"]


def main() -> None:
    """Add one rule, and leave the others as they are."""
    try:
        profile = json.load(sys.stdin)
        profile["syscalls"].append({"names": NEEDED, "action": "SCMP_ACT_ALLOW"})
    except (ValueError, KeyError, TypeError, AttributeError):
        sys.exit("Standard input is not a seccomp profile of Docker's; see the top of this file.")
    json.dump(profile, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
