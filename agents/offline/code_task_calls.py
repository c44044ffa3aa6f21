"""The tool call that a plain objective of a code task asks for, in English and Portuguese.

It creates a file, lists, reads and analyses files, runs a command, looks at system and disk.
"""

import json
import re

from agents.offline.texts import QUOTES, pattern
from config.values.json_types import JsonObject

NAME = r"[\"'“‘`]?(?P<name>[\w][\w./-]*)[\"'”’`]?"
Call = tuple[str, JsonObject]  # (tool, arguments)

CREATE = pattern(
    r"\b(?:create|write|make|save|criar?|crie|escrev(?:er|a)|salv(?:ar|e)|gerar?|gere)\s+"
    r"(?:(?:a|an|the|new|um|uma|o|novo)\s+)*(?P<file>(?:file|arquivo)\s+)?(?:(?:called|named|chamado|de nome)\s+)?"
    + NAME
    + r"(?:\s*(?P<joint>with|com|containing|contendo|saying|dizendo|:)\s*(?P<rest>.+))?\s*$"
)
LITERAL = pattern(
    r"^(?:(?:the|o)\s+)?(?:following\s+|seguinte\s+)?(?:content|contents|text|conte[uú]do|texto)\b\s*:?\s*(?P<text>.+)$"
)
LIST = pattern(r"\b(?:list|show|listar?|liste|mostr(?:ar|e))\b.{0,30}\b(?:files|arquivos)\b")
READ = pattern(
    r"\b(?:read|show|open|print|ler|leia|mostr(?:ar|e)|abr(?:ir|a))\s+(?:the\s+|o\s+)?(?:file\s+|arquivo\s+)?" + NAME
)
ANALYSE = pattern(r"\banaly?[sz]?i?[sz](?:e|ar)\s+(?:the\s+|o\s+)?(?:file\s+|arquivo\s+)?" + NAME)
RUN = pattern(
    r"\b(?:run|execute|executar|execut[ea]|rodar?|rode)\s+(?:the\s+|o\s+)?(?:(?:shell\s+)?command|comando)?\s*:?\s*"
    r"(?P<command>.+)$"
)
COMMANDS: tuple[tuple[re.Pattern[str], str], ...] = (
    (pattern(r"\b(?:check|verificar?|verifique)\b.{0,20}\b(?:disk|disco)\b"), "df -h ."),
    (
        pattern(r"\b(?:check|verificar?|verifique)\b.{0,20}\b(?:system|sistema)\b"),
        "uname -srm; nproc; python3 --version",
    ),
    (
        pattern(r"\b(?:test|check|testar?|teste|verificar?)\b.{0,20}\b(?:connection|connectivity|conex[aã]o)\b"),
        "cat /proc/net/dev",
    ),
)


def next_call(objective: str, context: JsonObject) -> Call | None:
    """The tool call that the objective asks for; None for an objective of no known form."""
    text = objective.strip()
    for form, command in COMMANDS:
        if form.search(text):
            return "shell", {"command": command}
    if LIST.search(text):
        return "list_files", {"root": "."}
    for parse in (_write_call, _shell_call, _analysis_call, _read_call):
        if (call := parse(text, context)) is not None:
            return call
    return None


def _write_call(text: str, context: JsonObject) -> Call | None:
    match = CREATE.search(text)
    if not match or not (match["file"] or "." in match["name"] or match["name"].isupper()):
        return None
    name, rest = match["name"].rstrip("."), (match["rest"] or "").strip()
    path = name if "." in name or not name.isupper() else f"{name}.md"
    literal = LITERAL.match(rest)
    if literal:
        return "write_file", {"path": path, "content": literal["text"].strip().strip(QUOTES)}
    if rest.startswith(tuple(QUOTES)) or match["joint"] in (":", "saying", "dizendo", "containing", "contendo"):
        return "write_file", {"path": path, "content": rest.strip(QUOTES)}
    return "write_file", {"path": path, "content": _document(path, rest, context)}


def _document(path: str, about: str, context: JsonObject) -> str:
    """A short text for a file of which only the subject is given."""
    title = context.get("project_name") or path.rpartition("/")[2].partition(".")[0]
    if not path.endswith((".md", ".txt", ".rst")):
        return f"# {about}\n" if about else ""
    lines = [f"# {title}", ""]
    lines += [f"{about[:1].upper()}{about[1:].rstrip('.')}.", ""] if about else []
    lines += [f"- {name}: {value}" for name, value in context.items() if isinstance(value, str | int | float)]
    return "\n".join(lines).rstrip() + "\n"


def _shell_call(text: str, context: JsonObject) -> Call | None:
    match = RUN.search(text)
    return ("shell", {"command": match["command"].strip().strip(QUOTES)}) if match else None


def _analysis_call(text: str, context: JsonObject) -> Call | None:
    match = ANALYSE.search(text)
    return ("read_file", {"path": match["name"]}) if match else None


def _read_call(text: str, context: JsonObject) -> Call | None:
    match = READ.search(text)
    return ("read_file", {"path": match["name"]}) if match and "." in match["name"] else None


def split_message(message: str) -> tuple[str, JsonObject]:
    """(objective, context) of the agent's message (agents/code_tasks/agent.py)."""
    objective, mark, context = message.rpartition("\n\nContext: ")
    if not mark:
        return message, {}
    try:
        value = json.loads(context)
    except ValueError:
        return message, {}
    return (objective, value) if isinstance(value, dict) else (message, {})
