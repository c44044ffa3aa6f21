"""What answers are written as, and what is masked in logs and errors."""

import uuid
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import orjson
import pytest

from config.http.renderers import dumps
from config.masking import is_secret_name, mask, mask_text

MOMENT = datetime(2024, 12, 19, 10, 0, 0, 1000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (MOMENT, b'"2024-12-19T10:00:00.001000Z"'),
        (datetime(2024, 12, 19), b'"2024-12-19T00:00:00Z"'),
        (uuid.UUID(int=1), b'"00000000-0000-0000-0000-000000000001"'),
        (Decimal("1.25"), b"1.25"),
        (float("nan"), b"null"),
        (timedelta(seconds=90), b"90.0"),
        ({1: {"a"}}, b'{"1":["a"]}'),
        (2**70, b"1180591620717411303424"),
        ("\ud800", b'"\\ud800"'),
        (b"abc", b'"abc"'),
    ],
)
def test_every_value_has_its_json(value: object, text: bytes) -> None:
    assert dumps(value) == text


def test_other_offsets_stay_correct() -> None:
    moment = MOMENT.astimezone(timezone(timedelta(hours=2)))
    assert datetime.fromisoformat(orjson.loads(dumps(moment))) == MOMENT


@pytest.mark.parametrize(
    "name",
    ["password", "new_password", "apiKey", "api_key", "X-API-Key", "refresh_token", "accessToken", "client_secret"],
)
def test_a_name_that_smells_of_a_secret_masks_its_value(name: str) -> None:
    assert mask({name: "visible", "nested": {name: ["visible"]}}) == {name: "***", "nested": {name: ["***"]}}


@pytest.mark.parametrize("name", ["name", "tokens_used", "prompt_tokens", "monkey", "keyboard", "secretary"])
def test_other_names_do_not(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    "text",
    ["llm_" + "a" * 43, "sk-proj-abcdefgh", "Bearer abc.def", "eyJhbGciOiJI.eyJzdWIi.sig", "whsec_MfKQ9r8GKYqrTwjU"],
)
def test_tokens_are_masked_wherever_they_stand(text: str) -> None:
    secret = text.removeprefix("Bearer ")
    assert secret not in mask_text(f"failed with {text} at 10:00")
    assert mask({"note": f"see {text}"})["note"].endswith("***")
