"""`make run` on a fresh data folder, and what a second one is told."""

import socket
from pathlib import Path

import httpx
import psycopg
import pytest

from config import embedded_servers
from tests.product import Product, started


def test_ready_means_that_readyz_answers_200(product: Product) -> None:
    assert httpx.get(f"{product.url}/readyz").status_code == 200


def test_the_ready_line_tells_the_url_and_the_demo_credentials(product: Product) -> None:
    lines = [line for line in product.output if line.startswith("ready ")]
    assert len(lines) == 1
    assert product.url in lines[0]
    assert "@" in lines[0]


def test_the_embedded_postgres_keeps_what_it_has_confirmed(product: Product) -> None:
    with psycopg.connect(embedded_servers.database_url(product.data_dir)) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {name}").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)


def test_a_second_start_on_the_data_folder_is_refused_and_names_the_holder(product: Product) -> None:
    with started(product.data_dir) as second:
        assert second.process.wait(30) != 0
        told = second.says("data folder")
    assert str(product.data_dir) in told.string
    assert f"process {product.process.pid}" in told.string
    assert "Traceback" not in str(second)


def test_a_start_on_a_used_port_is_refused_and_names_the_port(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, started(data_dir, PORT=str(other.getsockname()[1])) as second:
        assert second.process.wait(30) != 0
        told = second.says("in use by another program")
    assert second.port in told.string
    assert "PORT" in told.string
    assert len(second.output) == 1


@pytest.mark.parametrize(
    "environment",
    [
        {"DJANGO_SUPERUSER_PASSWORD": "short", "DJANGO_SUPERUSER_EMAIL": "root@example.com"},
        {"DJANGO_SUPERUSER_EMAIL": "root@example.com"},
        {"RATE_LIMIT_IP": "many"},
    ],
)
def test_what_the_database_is_not_made_ready_with_is_one_sentence(data_dir: Path, environment: dict[str, str]) -> None:
    with started(data_dir, **environment) as refused:
        assert refused.process.wait(90) != 0
        assert refused.says("^(DJANGO_SUPERUSER_PASSWORD|RATE_LIMIT_IP): ")
    assert "Traceback" not in str(refused) and "lines above" not in str(refused)


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "eighty"), ("PORT", "99999"), ("WEB_WORKERS", "0"), ("HOST", "203.0.113.9")]
)
def test_a_bad_value_of_the_environment_is_named(data_dir: Path, name: str, value: str) -> None:
    with started(data_dir, **{name: value}) as refused:
        assert refused.process.wait(30) != 0
        assert refused.says(f"^{name}: ")
    assert "Traceback" not in str(refused)
