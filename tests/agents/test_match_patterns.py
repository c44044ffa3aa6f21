"""Patterns of schemas: ECMA-262's syntax, matched by RE2 in linear time; what it cannot do is refused when saved."""

from typing import TYPE_CHECKING, Any

import pytest

from agents.models import Tool
from config.errors import Invalid
from config.values.json_schema import schema_problems, validate_input
from config.values.json_schema.patterns import PatternRefused, compile_pattern, matches

if TYPE_CHECKING:
    from rest_framework.test import APIClient

    from accounts.models import Tenant


@pytest.mark.parametrize(
    "pattern,fitting,unfitting",
    [
        (r"^\d{4}-\d\d-\d\d$", "2026-01-31", "2026-01-31\n"),
        (r"^\d+$", "123", "\u0661\u0662"),
        (r"^https?:\/\/[^\/]+\/$", "https://example.com/", "https:example"),
        (r"^caf\u00e9$", "café", "cafe"),
        (r"^[\u00e0-\u00ff]+$", "éàü", "eau"),
        (r"^\u{1F600}$", "😀", "😁"),
        (r"^\ud83d\ude00$", "😀", "😁"),
        (r"^\xe9$", "é", "e"),
        (r"^\p{L}+$", "São", "S4o"),
        (r"^\p{Letter}\p{Decimal_Number}$", "é7", "7é"),
        (r"^\p{Script=Greek}+$", "αβγ", "abc"),
        (r"^[\p{sc=Cyrillic} ]+$", "да нет", "no"),
        (r"^\P{gc=Lu}+$", "abc", "ABC"),
        (r"^\s$", "\u00a0", "x"),
        (r"^[\s,]+$", "\u3000,\ufeff", "x"),
        (r"^\S+$", "abc", "a\u2003b"),
        (r"^.$", "é", "\u2028"),
        (r"^[^]$", "\n", ""),
        (r"^a[]$|^b$", "b", "a"),
        (r"^[[a]$", "[", "b"),
        (r"^[[:alpha:]]$", "a]", "z"),
        (r"^[\]\-\/]+$", "]-/", "a"),
        (r"^(?<year>\d{4})$", "2026", "26"),
        (r"^(?:yes|no)$", "yes", "maybe"),
        (r"^\cJ$", "\n", "J"),
        (r"^\0$", "\x00", "0"),
        (r"^[\b]$", "\b", "b"),
        (r"\bsoap\b", "the soap.", "soapy"),
        (r"^\w+$", "abc_1", "é"),
        (r"^\_a\ b$", "_a b", "a b"),
        (r"^a{,2}$", "a{,2}", "aa"),
        (r"^x*?y{2,3}$", "xyy", "xy"),
        (r"^abc\Z", "abc", "abcd"),
        (r"(?i)^abc$", "ABC", "abd"),
        (r"^(a+)+$", "aaaa", "aaab"),
        (r"^(a|aa)+$", "aaaa", "ab"),
        (r"^[\w.+-]+@[\w-]+\.[a-z]{2,}$", "ana@example.com", "ana@"),
    ],
)
def test_a_pattern_means_what_json_schema_says(pattern: str, fitting: str, unfitting: str) -> None:
    schema = {"properties": {"t": {"type": "string", "pattern": pattern}}}
    assert schema_problems(schema) == []
    assert matches(pattern, fitting) and not matches(pattern, unfitting)
    with pytest.raises(Invalid):
        validate_input(schema, {"t": unfitting})


@pytest.mark.parametrize(
    "pattern,remedy",
    [
        (r"^(?=.*\d).{8,}$", "allOf"),
        (r"(?<!a)b", "looks ahead or behind"),
        (r"(?!x)y", "looks ahead or behind"),
        (r"^(.)\1$", "back references"),
        (r"(?<q>['\"]).*\k<q>", "back references"),
        (r"^.{1,5000}$", "maxLength"),
        (r"(a{100}){100}", "correct it"),
        (r"\p{L}{1000}", "maxLength"),
        ("(", "correct it"),
        ("[a", "correct it"),
        ("a\\", "correct it"),
        (r"\p{Nonsense}", "correct it"),
        ("a" * 2_001, "shorten it"),
    ],
)
def test_a_pattern_that_cannot_be_matched_is_refused_when_saved(api: "APIClient", pattern: str, remedy: str) -> None:
    for part in ({"properties": {"t": {"pattern": pattern}}}, {"patternProperties": {pattern: {}}}):
        body = {"name": "T", "handler_config": {"url": "http://127.0.0.1:9/"}, "input_schema": part}
        answer = api.post("/api/v1/tools", body, format="json")
        (sentence,) = answer.json()["context"]["errors"]["input_schema"]
        assert answer.status_code == 400 and pattern[:20] in sentence and remedy in sentence
    assert not Tool.all_tenants.exists()


def test_a_stored_pattern_that_cannot_be_matched_fails_the_call_by_name(api: "APIClient", tenant: "Tenant") -> None:
    """One that was saved when patterns were matched in another way."""
    schema = {"type": "object", "properties": {"t": {"type": "string", "pattern": "^(?=a)"}}}
    Tool.all_tenants.create(tenant=tenant, key="old", name="Old", input_schema=schema, handler_type="http")
    answer = api.post("/api/v1/tools/old/execute", {"t": "a"}, format="json")
    (sentence,) = answer.json()["context"]["errors"]["input_schema"]
    assert answer.status_code == 400 and "'^(?=a)'" in sentence and "Correct the schema" in sentence


def test_a_long_text_is_matched_and_a_very_costly_one_refused() -> None:
    assert validate_input({"properties": {"t": {"pattern": "^(a+)+$"}}}, {"t": "a" * 500_000})
    costly = {"properties": {"t": {"pattern": "(?:a|b)*a(?:a|b){900}c"}}}
    with pytest.raises(Invalid) as refusal:
        validate_input(costly, {"t": "ab" * 250_000})
    assert "is too long for the pattern" in refusal.value.context["errors"]["t"][0]


def test_half_a_character_in_a_text_is_matched_as_what_stands_for_it() -> None:
    assert matches("^.$", "\ud83d") and not matches("^a$", "\ud83d")


def test_property_names_are_matched_too() -> None:
    names: dict[str, Any] = {"propertyNames": {"pattern": r"^[a-z]+$"}}
    assert validate_input(names, {"abc": 1})
    with pytest.raises(Invalid):
        validate_input(names, {"ABC": 1})


def test_a_pattern_with_half_a_character_is_refused() -> None:
    with pytest.raises(PatternRefused, match="half a character"):
        compile_pattern("\ud83d")
