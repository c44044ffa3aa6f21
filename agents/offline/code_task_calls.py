"""What the offline model does with plain objectives, in English and Portuguese: one tool call, and what came of it.

It creates a file, lists, reads and analyses files, runs a command, looks at system and disk. It says what it is.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from agents.code_tasks import GAVE_UP
from agents.offline.triage import plain

SIGNED = "(offline model)"
QUOTES = "\"'“”‘’`"
NAME = r"[\"'“‘`]?(?P<name>[\w][\w./-]*)[\"'”’`]?"
PORTUGUESE = re.compile(
    r"\b(cri(?:ar|e)|escrev\w+|salv\w+|arquivos?|list(?:ar|e)|ler|leia|mostr\w+|execut(?:ar|e)|rod(?:ar|e)|conteudo|para"
    r"|analis(?:ar|e)|verific\w+|test(?:ar|e)|instal(?:ar|e)|disco|sistema|tarefa|projeto|codigo|fazer|faca|o|um|uma)\b"
)
UNKNOWN = {
    "en": (
        "This is Regente's built-in offline model. It understands plain objectives only: create a file (with a given "
        "content), list, read or analyse files, run a command, check the system or the disk. Set LLM_BASE_URL or a "
        "provider's key to use a language model."
    ),
    "pt": (
        "Este é o modelo offline do Regente. Ele entende apenas objetivos simples: criar um arquivo (com um conteúdo), "
        "listar, ler ou analisar arquivos, executar um comando, verificar o sistema ou o disco. Defina LLM_BASE_URL ou "
        "a chave de um provedor para usar um modelo de linguagem."
    ),
}
Call = tuple[str, dict[str, Any]]


def _form(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


CREATE = _form(
    r"\b(?:create|write|make|save|criar?|crie|escrev(?:er|a)|salv(?:ar|e)|gerar?|gere)\s+"
    r"(?:(?:a|an|the|new|um|uma|o|novo)\s+)*(?P<file>(?:file|arquivo)\s+)?(?:(?:called|named|chamado|de nome)\s+)?"
    + NAME
    + r"(?:\s*(?P<joint>with|com|containing|contendo|saying|dizendo|:)\s*(?P<rest>.+))?\s*$"
)
LITERAL = _form(
    r"^(?:(?:the|o)\s+)?(?:following\s+|seguinte\s+)?(?:content|contents|text|conte[uú]do|texto)\b\s*:?\s*(?P<text>.+)$"
)
LIST = _form(r"\b(?:list|show|listar?|liste|mostr(?:ar|e))\b.{0,30}\b(?:files|arquivos)\b")
READ = _form(
    r"\b(?:read|show|open|print|ler|leia|mostr(?:ar|e)|abr(?:ir|a))\s+(?:the\s+|o\s+)?(?:file\s+|arquivo\s+)?" + NAME
)
ANALYSE = _form(r"\banaly?[sz]?i?[sz](?:e|ar)\s+(?:the\s+|o\s+)?(?:file\s+|arquivo\s+)?" + NAME)
RUN = _form(
    r"\b(?:run|execute|executar|execut[ea]|rodar?|rode)\s+(?:the\s+|o\s+)?(?:(?:shell\s+)?command|comando)?\s*:?\s*"
    r"(?P<command>.+)$"
)
FIXED: tuple[tuple[re.Pattern[str], str], ...] = (
    (_form(r"\b(?:check|verificar?|verifique)\b.{0,20}\b(?:disk|disco)\b"), "df -h ."),
    (_form(r"\b(?:check|verificar?|verifique)\b.{0,20}\b(?:system|sistema)\b"), "uname -srm; nproc; python3 --version"),
    (
        _form(r"\b(?:test|check|testar?|teste|verificar?)\b.{0,20}\b(?:connection|connectivity|conex[aã]o)\b"),
        "cat /proc/net/dev",
    ),
)


def next_call(objective: str, context: dict[str, Any]) -> Call | None:
    """The tool call that the objective asks for; None when nobody can tell."""
    text = objective.strip()
    for form, command in FIXED:
        if form.search(text):
            return "shell", {"command": command}
    if LIST.search(text):
        return "list_files", {"root": "."}
    for make in (_created, _run, _analysed, _read):
        if (call := make(text, context)) is not None:
            return call
    return None


def _created(text: str, context: dict[str, Any]) -> Call | None:
    found = CREATE.search(text)
    if not found or not (found["file"] or "." in found["name"] or found["name"].isupper()):
        return None
    name, rest = found["name"].rstrip("."), (found["rest"] or "").strip()
    path = name if "." in name or not name.isupper() else f"{name}.md"
    literal = LITERAL.match(rest)
    if literal:
        return "write_file", {"path": path, "content": literal["text"].strip().strip(QUOTES)}
    if rest.startswith(tuple(QUOTES)) or found["joint"] in (":", "saying", "dizendo", "containing", "contendo"):
        return "write_file", {"path": path, "content": rest.strip(QUOTES)}
    return "write_file", {"path": path, "content": _document(path, rest, context)}


def _document(path: str, about: str, context: dict[str, Any]) -> str:
    """A short text for a file of which only the subject is given."""
    title = context.get("project_name") or path.rpartition("/")[2].partition(".")[0]
    if not path.endswith((".md", ".txt", ".rst")):
        return f"# {about}\n" if about else ""
    lines = [f"# {title}", ""]
    lines += [f"{about[:1].upper()}{about[1:].rstrip('.')}.", ""] if about else []
    lines += [f"- {name}: {value}" for name, value in context.items() if isinstance(value, str | int | float)]
    return "\n".join(lines).rstrip() + "\n"


def _run(text: str, context: dict[str, Any]) -> Call | None:
    found = RUN.search(text)
    return ("shell", {"command": found["command"].strip().strip(QUOTES)}) if found else None


def _analysed(text: str, context: dict[str, Any]) -> Call | None:
    found = ANALYSE.search(text)
    return ("read_file", {"path": found["name"]}) if found else None


def _read(text: str, context: dict[str, Any]) -> Call | None:
    found = READ.search(text)
    return ("read_file", {"path": found["name"]}) if found and "." in found["name"] else None


def parts(message: str) -> tuple[str, dict[str, Any]]:
    """(objective, context) of what the agent was asked (agent.message)."""
    objective, mark, context = message.rpartition("\n\nContext: ")
    if not mark:
        return message, {}
    try:
        value = json.loads(context)
    except ValueError:
        return message, {}
    return (objective, value) if isinstance(value, dict) else (message, {})


def answer(objective: str, call: Call | None, result: str) -> str:
    """The last words, in the language of the objective: what came of the call; `result` is the tool's JSON."""
    language = "pt" if PORTUGUESE.search(plain(objective)) else "en"
    if call is None:
        return f"{GAVE_UP} {UNKNOWN[language]}"
    tool, arguments = call
    try:
        value = json.loads(result)
    except ValueError:
        value = result
    if isinstance(value, dict) and "error_type" in value:
        failed = {"pt": "Não foi possível", "en": "That did not work"}[language]
        return f"{GAVE_UP} {failed}: {value['error']} {SIGNED}"
    return f"{TELLERS[tool](language, arguments, value)} {SIGNED}"


def _written(language: str, arguments: dict[str, Any], _: Any) -> str:
    path = arguments["path"]
    return f"Arquivo {path} criado com sucesso." if language == "pt" else f"Created the file {path}."


def _listed(language: str, _: dict[str, Any], value: Any) -> str:
    if not value:
        return "Não há arquivos no workspace." if language == "pt" else "There are no files in the workspace."
    head = f"{len(value)} arquivo(s):" if language == "pt" else f"{len(value)} file(s):"
    return "\n".join([head, *(f"- {path}" for path in value)])


def _read_out(language: str, arguments: dict[str, Any], value: Any) -> str:
    text = str(value)
    counts = len(text.splitlines()), len(text.split()), len(text)
    words = ("linhas", "palavras", "caracteres") if language == "pt" else ("lines", "words", "characters")
    told = ", ".join(f"{count} {word}" for count, word in zip(counts, words, strict=True))
    return f"{arguments['path']}: {told}.\n\n{text[:2_000]}"


def _ran(language: str, arguments: dict[str, Any], value: Any) -> str:
    told = "Comando executado" if language == "pt" else "Ran the command"
    code = "código" if language == "pt" else "code"
    streams = "\n".join(part for part in (value["stdout"].strip(), value["stderr"].strip()) if part)
    return f"{told} ({code} {value['returncode']}): {arguments['command']}\n{streams}"


TELLERS: dict[str, Callable[[str, dict[str, Any], Any], str]] = {
    "write_file": _written,
    "list_files": _listed,
    "read_file": _read_out,
    "shell": _ran,
}
