"""What the generated clients need: the API document of the running product, and its demo account."""

import json
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.product import Product


class Account(NamedTuple):
    """Credentials of the demo user."""

    email: str
    password: str


@pytest.fixture(scope="session")
def account(live: Product) -> Account:
    """The demo account that the product has made."""
    credentials = json.loads((live.data_dir / "demo_credentials.json").read_text())
    return Account(credentials["email"], credentials["password"])


@pytest.fixture(scope="session")
def token(live: Product, account: Account) -> str:
    """An access token of the demo user."""
    response = httpx.post(f"{live.url}/api/v1/auth/login", json=account._asdict())
    access_token: str = response.json()["access_token"]
    return access_token


@pytest.fixture
def document(live: Product, tmp_path: Path) -> Path:
    """The API document as a file."""
    path = tmp_path / "openapi.json"
    path.write_bytes(httpx.get(f"{live.url}/openapi.json").content)
    return path
