"""apply_patch takes the names that write_file takes: a blank one is refused, and nothing of its patch is applied."""

from typing import Any

import pytest

from accounts.models import Tenant
from tests.agents.task_calls import actions, sandboxed, use
from tests.factories import make_user, token_of
from tests.front import Front

pytestmark = [pytest.mark.usefixtures("engine", "gateway"), sandboxed]
NEW = "--- /dev/null\n+++ b/{}\n@@ -0,0 +1 @@\n+x\n"
GIT_NEW = 'diff --git "a/{0}" "b/{0}"\nnew file mode 100644\n--- /dev/null\n+++ "b/{0}"\n@@ -0,0 +1 @@\n+x\n'
BARE_NEW = "--- /dev/null\n+++ {}\n@@ -0,0 +1 @@\n+x\n"
RENAME = 'diff --git "a/{0}" "b/{1}"\nsimilarity index 100%\nrename from "{0}"\nrename to "{1}"\n'
COPY = RENAME.replace("rename", "copy")
EMPTY = 'diff --git "a/{0}" "b/{0}"\nnew file mode 100644\nindex 0000000..e69de29\n'
REMOVE = 'diff --git "a/{0}" "b/{0}"\ndeleted file mode 100644\n--- "a/{0}"\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n'
CHANGE = '--- "a/{0}"\n+++ "b/{0}"\n@@ -1 +1 @@\n-x\n+y\n'


@pytest.fixture
def token(acme: Tenant) -> str:
    """A user's token."""
    return token_of(make_user(acme))


def apply_patch(front: Front, token: str, patch: str, command: str = "true") -> tuple[dict[str, Any], str]:
    """(what apply_patch came to, the workspace's files then), after this command."""
    calls = [use("shell", command=command), use("apply_patch", patch=patch)]
    calls += [use("shell", command="find . -path ./.git -prune -o -type f -printf '[%P]'")]
    _, answer, files = actions(front, token, *calls)
    return answer, files["result"]


@pytest.mark.parametrize(
    "patch",
    [
        NEW.format(" "),
        NEW.format("docs/ "),
        NEW.format(" /f.txt"),
        NEW.format("docs/\u3000/f.txt"),
        NEW.format("\u200b"),
        BARE_NEW.format(" "),
        GIT_NEW.format("\\040"),
        GIT_NEW.format("\\302\\240"),
        GIT_NEW.format("docs/\\t/f.txt"),
        GIT_NEW.format("\\n"),
        EMPTY.format("\\040\\040"),
        RENAME.format("a.txt", "\\040"),
        RENAME.format("a.txt", "docs/\\040/a.txt"),
        COPY.format("a.txt", "\\040"),
        NEW.format("fine.txt") + GIT_NEW.format("\\040"),
        GIT_NEW.format("\\040") + NEW.format("fine.txt"),
    ],
)
def test_a_blank_name_is_refused(front: Front, token: str, patch: str) -> None:
    answer, files = apply_patch(front, token, patch, "printf 'x\\n' > a.txt")
    assert not answer["success"] and answer["result"] == "Error: patch: No name in it may be blank."
    assert '"[a.txt]"' in files


@pytest.mark.parametrize("patch", [REMOVE.format("\\040"), RENAME.format("\\040", "b.txt"), CHANGE.format("\\040")])
def test_a_file_whose_name_is_blank_is_not_touched(front: Front, token: str, patch: str) -> None:
    answer, files = apply_patch(front, token, patch, "printf 'x\\n' > ' '")
    assert not answer["success"] and "No name in it may be blank" in answer["result"] and '"[ ]"' in files


@pytest.mark.parametrize(
    "patch, names, remaining",
    [
        (NEW.format("docs/b c.txt"), "docs/b c.txt", ["[a.txt]", "[docs/b c.txt]"]),
        (BARE_NEW.format("b.txt"), "b.txt", ["[a.txt]", "[b.txt]"]),
        (GIT_NEW.format("\\303\\251.txt"), "é.txt", ["[a.txt]", "[é.txt]"]),
        (RENAME.format("a.txt", "b.txt"), "b.txt", ["[b.txt]"]),
        (REMOVE.format("a.txt"), "a.txt", []),
        (CHANGE.format("a.txt"), "a.txt", ["[a.txt]"]),
        (CHANGE.format("a.txt") + NEW.format("b.txt"), "a.txt, b.txt", ["[a.txt]", "[b.txt]"]),
        (CHANGE.format("a.txt").replace('"a/', '"').replace('"b/', '"').rstrip(), "a.txt", ["[a.txt]"]),
    ],
)
def test_other_names_are_taken_and_told(front: Front, token: str, patch: str, names: str, remaining: list[str]) -> None:
    answer, files = apply_patch(front, token, patch, "printf 'x\\n' > a.txt")
    assert (answer["success"], answer["result"]) == (True, f"Patch applied: {names}")
    assert all(one in files for one in remaining) and files.count("[") == len(remaining)


@pytest.mark.parametrize(
    "patch", [NEW.format("../out.txt"), NEW.format(".git/x"), CHANGE.format("none.txt"), "nothing"]
)
def test_a_patch_that_git_refuses_changes_nothing(front: Front, token: str, patch: str) -> None:
    answer, files = apply_patch(front, token, patch, "printf 'x\\n' > a.txt")
    assert not answer["success"] and answer["result"].startswith("Error: git: ") and '"[a.txt]"' in files
