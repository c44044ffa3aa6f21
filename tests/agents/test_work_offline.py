"""Code tasks without a model: plain objectives in English and Portuguese do what they say."""

from typing import TYPE_CHECKING, Any

import pytest

from agents.offline.code_task_calls import next_call
from agents.sandbox import sandboxed_command
from tests.agents.task_calls import finish
from tests.factories import make_user, token_of
from tests.front import Front

if TYPE_CHECKING:
    from accounts.models import Tenant

PROJECT = {"project_name": "my-app", "language": "python"}


@pytest.mark.parametrize(
    ("objective", "tool", "arguments"),
    [
        ("Criar arquivo test.txt com conteúdo Olá mundo", "write_file", {"path": "test.txt", "content": "Olá mundo"}),
        ('Create a file hello.txt with the content "Hello"', "write_file", {"path": "hello.txt", "content": "Hello"}),
        ("create file a/b.py: print(1)", "write_file", {"path": "a/b.py", "content": "print(1)"}),
        ("Listar arquivos", "list_files", {"root": "."}),
        ("List all the files", "list_files", {"root": "."}),
        ("Executar comando: echo oi", "shell", {"command": "echo oi"}),
        ("run the command `ls -la`", "shell", {"command": "ls -la"}),
        ("Analisar arquivo file1.py", "read_file", {"path": "file1.py"}),
        ("analyze main.py", "read_file", {"path": "main.py"}),
        ("Ler o arquivo notas.md", "read_file", {"path": "notas.md"}),
        ("Verificar espaço em disco", "shell", {"command": "df -h ."}),
    ],
)
def test_an_objective_is_understood(objective: str, tool: str, arguments: dict[str, Any]) -> None:
    assert next_call(objective, {}) == (tool, arguments)


@pytest.mark.parametrize("objective", ["Tarefa longa", "Refactor the login", "Criar teste", "hello"])
def test_what_is_not_understood_is_not_guessed(objective: str) -> None:
    assert next_call(objective, {}) is None


def test_a_file_of_which_only_the_subject_is_given_gets_a_short_text() -> None:
    call = next_call("Criar arquivo README.md com documentação do projeto", PROJECT)
    assert call is not None and call[1]["path"] == "README.md"
    assert call[1]["content"].startswith("# my-app\n") and "language: python" in call[1]["content"]
    assert next_call("Criar README", {}) == ("write_file", {"path": "README.md", "content": "# README\n"})


@pytest.mark.usefixtures("offline", "engine")
def test_tasks_run_without_a_model_and_say_so(front: Front, acme: "Tenant") -> None:
    token = token_of(make_user(acme))
    task = finish(front, token, "Criar arquivo test.txt com conteúdo Olá", context=PROJECT)
    assert task["state"] == "completed"
    assert task["result"]["output"] == "Arquivo test.txt criado com sucesso. (offline model)"
    assert task["result"]["actions_taken"][0]["params"] == {"path": "test.txt", "content": "Olá"}
    task = finish(front, token, "Analisar arquivo file1.py", context={"file": "file1.py"})
    assert task["state"] == "failed" and "there is no such file" in task["result"]["output"]
    assert task["result"]["error"] == task["result"]["output"] and "Run:" not in task["result"]["error"]
    task = finish(front, token, "Tarefa longa")
    assert task["state"] == "failed" and task["result"]["output"].startswith("Este é o modelo offline")
    task = finish(front, token, "Refactor the login page of site.com")
    assert task["result"]["output"].startswith("This is Regente's built-in offline model")
    if not sandboxed_command.unavailable_reason():
        task = finish(front, token, "run the command: echo $((6*7))")
        assert "42" in task["result"]["output"] and task["result"]["output"].endswith("(offline model)")
