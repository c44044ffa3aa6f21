"""The environment's values: one that cannot be used stops a program at its start with one sentence that names it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.env import BadSetting, env_choice, env_keys, env_list, env_networks, env_pair, env_url

KEY = "d0RfQ2h1bmtzX29mX3RoaXJ0eV90d29fYnl0ZXMhISE="
BAD = [
    ("LOG_LEVEL", "loud"),
    ("LOG_FORMAT", "xml"),
    ("DATABASE_URL", "mysql://db/x"),
    ("DATABASE_URL", "postgresql://db:port/x"),
    ("DATABASE_URL", "postgresql://[::1/x"),
    ("REDIS_URL", "http://redis:6379"),
    ("REDIS_URL", "redis://redis:port"),
    ("LLM_BASE_URL", "gateway.example/v1"),
    ("LLM_BASE_URL", "ftp://gateway.example"),
    ("OIDC_ISSUER", "login.example.com"),
    ("OIDC_ROLE", "owner"),
    ("EMAIL_PORT", "0"),
    ("EMAIL_HOST_PASSWORD", "EMAIL_HOST_USER=alerts"),
    ("EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD=pa55"),
    ("FILES_SECRET_KEY", "FILES_BUCKET=b FILES_ACCESS_KEY=a"),
    ("FILES_ENDPOINT", "FILES_BUCKET=b FILES_ENDPOINT=minio:9000"),
    ("CSRF_TRUSTED_ORIGINS", "app.example.com"),
    ("OUTBOUND_ALLOW", "10.0.0.0/33"),
    ("SECRETS_KEYS", "short"),
    ("SECRETS_KEYS", f"{KEY},nonsense"),
    ("SECRET_KEY", "short"),
    ("DEBUG", "perhaps"),
    ("ENGINE_SLOTS", "0"),
    ("TASK_MEMORY_MB", "1.5"),
    ("JOB_TIMEOUT_S", "soon"),
    ("JOB_TIMEOUT_S", "nan"),
]


def variables(name: str, value: str) -> dict[str, str]:
    """What to set: the variable itself, or what stands in the value as NAME=VALUE."""
    if "=" in value and not value.startswith(KEY[:5]):
        return dict(part.split("=", 1) for part in value.split())
    return {name: value}


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_one_sentence_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    environment = keep | {"DATA_DIR": str(tmp_path), "SECRET_KEY": "s" * 40} | variables(name, value)
    command = [sys.executable, "-c", "import config.settings"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0 and done.stderr.startswith(f"{name}: "), done.stderr
    assert done.stderr.count("\n") == 1 and "pa55" not in done.stderr


def test_what_can_be_used_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "A_URL": "https://gateway.example:8443/v1", "A_CHOICE": "debug", "A_LIST": "a, b", "A_KEY": KEY,
        "A_NET": "10.0.0.0/8,[fd00::1],host.example", "A_ONE": "x", "A_TWO": "y",
    }  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert env_url("A_URL") == values["A_URL"] and env_url("NOT_SET") == ""
    assert env_choice("A_CHOICE", "INFO", ("DEBUG", "INFO"), upper=True) == "DEBUG"
    assert env_list("A_LIST") == ["a", "b"] and env_keys("A_KEY") == [KEY]
    assert env_networks("A_NET") == ["10.0.0.0/8", "[fd00::1]", "host.example"]
    assert env_pair("A_ONE", "A_TWO") == ("x", "y") and env_pair("NOT_SET", "NOR_THIS") == ("", "")
    with pytest.raises(BadSetting, match="^NOT_SET: must be set when A_ONE is"):
        env_pair("A_ONE", "NOT_SET")
