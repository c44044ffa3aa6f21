"""Unified diffs, applied to a task's workspace by git: all of a diff or nothing of it."""

from agents.workspaces import shell_commands
from agents.workspaces.workspace import Workspace
from config.errors import Invalid
from memory.files.paths import is_blank

# Finds which of the two ways to strip the prefixes of file names fits, and prints its number, the names after the
# patch, and those before. git itself reads the names, so that they are those of the files that it will change.
FIND_STRIP = """cat > /tmp/p
for p in 1 0; do
  if git apply -p$p --check --whitespace=nowarn /tmp/p 2> /tmp/e-$p; then
    printf '%s\\0' $p && git apply -p$p --numstat -z /tmp/p && printf '\\0'
    exec git apply -R -p$p --numstat -z /tmp/p
  fi
done
cat /tmp/e-1 >&2; exit 1"""
APPLY = 'exec git apply -p"$1" --whitespace=nowarn -'
NAMES_BYTES = 64 * 1024  # of output for names, beyond the room that the patch's own size gives


async def apply(workspace: Workspace, patch: str) -> list[str]:
    """The files that the patch has changed; Invalid for a blank name, WorkspaceError with git's own words."""
    diff = (patch if patch.endswith("\n") else f"{patch}\n").encode("utf-8", "replace")
    output = await shell_commands.git(workspace, FIND_STRIP, stdin=diff, max_output=4 * len(diff) + NAMES_BYTES)
    strip, _, names = output.partition("\0")
    after, _, before = names.partition("\0\0")
    if any(is_blank(part) for name in _names(after) + _names(before) for part in name.split("/")):
        raise Invalid({"patch": ["No name in it may be blank."]})
    await shell_commands.git(workspace, APPLY, strip, stdin=diff)
    return _names(after)


def _names(numstat: str) -> list[str]:
    """The names of `git apply --numstat -z`, whose records are added, deleted, name."""
    return [record.split("\t", 2)[2] for record in numstat.split("\0") if record]
