"""Hostile bodies get a 4xx that says what is wrong; none makes the server fail."""

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from accounts.members import create_api_key
from accounts.models import Membership, Tenant
from tests.factories import make_user

KEYS = "/api/v1/auth/api-keys"
MALFORMED = [
    b"",
    b" ",
    b"{",
    b"}",
    b'{"name": ',
    b'{"name": "x"',
    b"{'name': 'x'}",
    b'{"name": "x",}',
    b'{"name": "x"}}',
    b'{"name": "x"} {"name": "y"}',
    b'{name: "x"}',
    b"[1,]",
    b"tru",
    b"NaN",
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b'{"name": -Infinity}',
    b'{"name": 1e999}',
    b'{"name": -1e999}',
    b'{"name": 01}',
    b'{"name": +1}',
    b'{"name": .5}',
    b'{"name": 0x10}',
    b'{"name": "\\ud800"}',
    b'{"name": "\\udfff\\ud800"}',
    b'{"name": "\xed\xa0\x80"}',
    b'{"name": "\xff\xfe"}',
    b'{"name": "\x00"}',
    b'{"name": "\\u0000"}',
    b'{"na\\u0000me": "x"}',
    b'{"deep": {"er": ["a\\u0000b"]}}',
    b'{"name": "\n"}',
    b'{"name": "\\x41"}',
    b"\xef\xbb\xbf{}",
    '{"name": "x"}'.encode("utf-16"),
    b"//{}",
    b"<name>x</name>",
    b"name=x",
    b'{"name": 9223372036854775808}',
    b'{"name": -9223372036854775809}',
    b'{"name": 18446744073709551616}',
    b'{"name": ' + b"9" * 300 + b"}",
    b'{"name": ' + b"9" * 5000 + b"}",
    b'{"n": ' + b"[" * 65 + b"]" * 65 + b"}",
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"a":' * 100_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'"' + b"x" * 100_000,
    b"\\" * 100_000,
]
NO_OBJECT = [b"null", b"true", b"0", b"1.5", b'"name"', b"[]", b'[{"name": "x"}]', b"[[]]", b"-0", b"1e-999"]
ODD_VALUES = [
    None,
    True,
    0,
    -1,
    1.5,
    2**62,
    1e308,
    "",
    " ",
    "x" * 10_000,
    "\u202e\ufeff\u200b",
    "\U0001f600" * 300,
    "'; DROP TABLE accounts_user; --",
    "{{7*7}}",
    "../../etc/passwd",
    "<script>alert(1)</script>",
    "%s%n%x",
    "\r\nX-Injected: 1",
    [],
    ["x"],
    [[[]]],
    [None],
    {},
    {"a": 1},
    {"__proto__": {}},
    {"$ne": 1},
]


@pytest.fixture
def caller(tenant: Tenant) -> Client:
    """A client with an API key that never fails by exception."""
    member = Membership.all_tenants.get(user=make_user(tenant))
    _, key = create_api_key(member, "k", ["write"])
    return Client(raise_request_exception=False, HTTP_X_API_KEY=key)


def post(client: Client, body: bytes, path: str = KEYS) -> Any:
    return client.post(path, body, content_type="application/json")


@pytest.mark.parametrize("body", MALFORMED, ids=lambda body: repr(body[:24]))
def test_what_is_no_clean_json_is_400_with_a_remedy(caller: Client, body: bytes) -> None:
    answer = post(caller, body)
    assert answer.status_code == 400 and len(answer.json()["message"]) > 10
    assert len(answer.content) < 1500


@pytest.mark.parametrize("body", NO_OBJECT)
def test_what_is_no_object_is_400(caller: Client, body: bytes) -> None:
    answer = post(caller, body)
    assert (answer.status_code, answer.json()["errorCode"]) == (400, "VALIDATION_ERROR")


@pytest.mark.parametrize("value", ODD_VALUES, ids=lambda value: repr(value)[:24])
@pytest.mark.parametrize("field", ["name", "permissions", "expires_at"])
def test_an_odd_value_is_taken_or_named(caller: Client, field: str, value: Any) -> None:
    answer = post(caller, json.dumps({"name": "k", field: value}).encode())
    assert answer.status_code in (201, 400)
    if answer.status_code == 400:
        assert next(iter(answer.json()["context"]["errors"])).startswith(field)


@pytest.mark.parametrize("field", ["email", "password", "name", "tenant_id", "invitation", "refresh_token"])
@pytest.mark.parametrize("path", ["register", "login", "refresh"])
def test_no_value_breaks_the_public_routes(db: None, path: str, field: str) -> None:
    client = Client(raise_request_exception=False)
    for value in ODD_VALUES:
        body = {
            "email": "a@example.com",
            "password": "correct-Horse-7",
            "name": "N",
            "refresh_token": "t",
            field: value,
        }
        assert post(client, json.dumps(body).encode(), f"/api/v1/auth/{path}").status_code in (201, 400, 401, 403)


def test_nesting_up_to_the_limit_is_taken(caller: Client) -> None:
    assert post(caller, b'{"name": "k", "n": ' + b"[" * 63 + b"]" * 63 + b"}").status_code == 201


def test_whole_numbers_of_64_bits_are_taken(caller: Client) -> None:
    body = b'{"name": "k", "a": 9223372036854775807, "b": -9223372036854775808, "c": 1e300}'
    assert post(caller, body).status_code == 201


def test_of_a_repeated_key_the_last_counts_and_a_million_do_no_harm(caller: Client) -> None:
    body = b"{" + b'"a":1,' * 100_000 + b'"name":"first","name":"last"}'
    assert post(caller, body).json()["name"] == "last"


def test_an_unknown_field_is_ignored(caller: Client) -> None:
    assert post(caller, b'{"name": "k", "colour": "blue", "id": 7}').status_code == 201


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024])
def test_a_body_over_the_limit_is_413(caller: Client, size: int) -> None:
    answer = post(caller, b'{"name": "' + b"x" * size + b'"}')
    assert (answer.status_code, answer.json()["errorCode"]) == (413, "PAYLOAD_TOO_LARGE")


def test_a_length_that_lies_is_found_out(caller: Client) -> None:
    huge = b'{"name": "' + b"x" * 1_100_000 + b'"}'
    assert caller.generic("POST", KEYS, huge, "application/json", CONTENT_LENGTH="99999999").status_code == 413
    short = caller.generic("POST", KEYS, b'{"name": "kkkk"}', "application/json", CONTENT_LENGTH="5")
    assert short.status_code == 400


def test_a_charset_in_the_content_type_is_fine(caller: Client) -> None:
    answer = caller.generic("POST", KEYS, b'{"name": "k"}', "Application/JSON; charset=utf-8")
    assert answer.status_code == 201


def test_a_post_without_a_body_is_an_empty_object(api: APIClient) -> None:
    assert "name" in api.post(KEYS).json()["context"]["errors"]
