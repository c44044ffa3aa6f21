"""The last words of a code task in the language of its objective: the output of its one call, in words."""

import json
import re
from collections.abc import Callable

from agents.code_tasks import FAILURE_PREFIX
from agents.offline.code_task_calls import Call
from agents.offline.texts import SIGNATURE, plain
from config.values.json_types import Json, JsonObject

MAX_TEXT_LENGTH = 2_000  # characters of a file that an answer repeats
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


def answer(objective: str, call: Call | None, output: str) -> str:
    """The answer after the call, whose output is JSON; without a call what this model understands."""
    language = "pt" if PORTUGUESE.search(plain(objective)) else "en"
    if call is None:
        return f"{FAILURE_PREFIX} {UNKNOWN[language]}"
    tool, arguments = call
    try:
        value = json.loads(output)
    except ValueError:
        value = output
    if isinstance(value, dict) and "error_type" in value:
        failure = {"pt": "Não foi possível", "en": "That did not work"}[language]
        return f"{FAILURE_PREFIX} {failure}: {value['error']} {SIGNATURE}"
    return f"{DESCRIPTIONS[tool](language, arguments, value)} {SIGNATURE}"


def _write_answer(language: str, arguments: JsonObject, _: Json) -> str:
    path = arguments["path"]
    return f"Arquivo {path} criado com sucesso." if language == "pt" else f"Created the file {path}."


def _list_answer(language: str, _: JsonObject, value: Json) -> str:
    if not value:
        return "Não há arquivos no workspace." if language == "pt" else "There are no files in the workspace."
    head = f"{len(value)} arquivo(s):" if language == "pt" else f"{len(value)} file(s):"
    return "\n".join([head, *(f"- {path}" for path in value)])


def _read_answer(language: str, arguments: JsonObject, value: Json) -> str:
    text = str(value)
    counts = len(text.splitlines()), len(text.split()), len(text)
    units = ("linhas", "palavras", "caracteres") if language == "pt" else ("lines", "words", "characters")
    sizes = ", ".join(f"{count} {unit}" for count, unit in zip(counts, units, strict=True))
    return f"{arguments['path']}: {sizes}.\n\n{text[:MAX_TEXT_LENGTH]}"


def _shell_answer(language: str, arguments: JsonObject, value: Json) -> str:
    head = "Comando executado" if language == "pt" else "Ran the command"
    code = "código" if language == "pt" else "code"
    streams = "\n".join(part for part in (value["stdout"].strip(), value["stderr"].strip()) if part)
    return f"{head} ({code} {value['returncode']}): {arguments['command']}\n{streams}"


DESCRIPTIONS: dict[str, Callable[[str, JsonObject, Json], str]] = {
    "write_file": _write_answer,
    "list_files": _list_answer,
    "read_file": _read_answer,
    "shell": _shell_answer,
}
