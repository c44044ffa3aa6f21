"""docker-compose.yml: who gets which secret, and that nothing in it is left to chance."""

import re
from typing import Any

import pytest
import yaml

from config import embedded_servers
from tests.parts import COMPOSE, INIT, VARIABLE, compose, interpolated

SECRETS = {
    "POSTGRES_PASSWORD": {"postgres"},
    "DATABASE_PASSWORD": {"postgres", "prepare", "web", "worker"},
    "REDIS_PASSWORD": {"redis", "web", "worker", "scheduler"},
    "SECRET_KEY": {"prepare", "web", "worker"},
    "SECRETS_KEYS": {"prepare", "web", "worker"},
    "DJANGO_SUPERUSER_PASSWORD": {"prepare"},
    "LLM_API_KEY": {"web", "worker"},
    "OPENAI_API_KEY": {"web", "worker"},
    "FILES_SECRET_KEY": {"web", "worker"},
    "EMAIL_HOST_PASSWORD": {"worker"},
    "OIDC_CLIENT_SECRET": {"web"},
}
SERVICES: dict[str, Any] = compose()["services"]
PARTS = ("prepare", "web", "worker", "scheduler")


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_goes_to_those_alone_who_use_it(secret: str) -> None:
    holders = {name for name, service in SERVICES.items() if f"${{{secret}" in yaml.safe_dump(service, width=10_000)}
    assert holders == SECRETS[secret]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_bounded_watched_and_pinned(name: str) -> None:
    service = SERVICES[name]
    assert "env_file" not in service
    assert service["mem_limit"] and service["networks"]
    assert service["logging"] == {"driver": "json-file", "options": {"max-size": "10m", "max-file": "5"}}
    if name != "prepare":  # which ends
        assert service["healthcheck"]["test"] and service["restart"] == "unless-stopped"
    if "build" not in service:
        assert re.search(r":\d+\.\d+\.\d+", service["image"]), service["image"]


@pytest.mark.parametrize("name", PARTS)
def test_a_part_has_no_rights_to_spare(name: str) -> None:
    assert SERVICES[name]["cap_drop"] == ["ALL"]
    assert SERVICES[name]["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("name", ["postgres", "redis", "scheduler"])
def test_who_needs_no_way_out_has_none(name: str) -> None:
    assert compose()["networks"]["stores"] == {"internal": True}
    assert SERVICES[name]["networks"] == ["stores"] and "ports" not in SERVICES[name]


def test_redis_wants_a_password_that_its_command_line_does_not_tell() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "requirepass" in command and "REDIS_PASSWORD" not in command
    assert all(":${REDIS_PASSWORD" in SERVICES[name]["environment"]["REDIS_URL"] for name in PARTS[1:])


def test_the_application_is_not_the_superuser() -> None:
    for name in ("prepare", "web", "worker"):
        url = interpolated(SERVICES[name]["environment"]["DATABASE_URL"], {"DATABASE_PASSWORD": "secret"})
        assert url == "postgresql://regente:secret@postgres:5432/regente"
    assert "CREATE ROLE regente LOGIN CREATEROLE NOSUPERUSER" in INIT.read_text()


def test_what_must_be_set_is_in_the_example_and_missing_it_stops_the_start() -> None:
    example = (embedded_servers.BASE_DIR / ".env.example").read_text()
    needed = {name for name, operator, _ in VARIABLE.findall(COMPOSE.read_text()) if operator == ":?"}
    assert needed == {"POSTGRES_PASSWORD", "DATABASE_PASSWORD", "REDIS_PASSWORD", "SECRET_KEY"}
    used = {name for name, _, _ in VARIABLE.findall(COMPOSE.read_text())}
    named = set(re.findall(r"^#? ?([A-Z_]+)=", example, re.MULTILINE))
    assert needed <= named <= used, named - used


def test_a_superusers_migration_and_the_script_take_the_same_functions() -> None:
    migration = (embedded_servers.BASE_DIR / "memory/migrations/0002_platform_views.py").read_text()
    names = "".join(re.findall(r'^    "(.+)"$', migration.partition("NO_USE = (")[2].partition(")\n")[0], re.MULTILINE))
    script = "".join(re.findall(r"'([^']+)'", INIT.read_text().partition("proname ~ (")[2].partition("LOOP")[0]))
    assert script == f"^({names})$"
