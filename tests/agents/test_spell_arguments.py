"""Arguments have one spelling: the canonical form is its own canonical form, and it is what a tool sends and opens."""

import json
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agents.handlers.http_call import with_query
from agents.tools.canonical import Headers
from agents.tools.registry import BUILT_IN
from agents.workspaces.workspace import Workspace
from config.errors import Invalid
from config.outbound.canonical_url import MAX_URL, canonical_url
from memory.files.paths import checked_path
from tests.agents.far_end import FarEnd
from tests.agents.test_call_tool import call, http_tool

PIECES = ["a", "/", "//", "/../", "/./", "..", ".", "%2e", "%2E%2e", "%25", "%2525", "%2F", "%5c", "%zz", "%", "é"]
PIECES += ["%C3%A9", "%e9", "?", "&", "=", "+", "%20", "%2B", ";", "#", ":", "@", "secret", "%73", "ｓ", "。", "[", "]"]
PIECES += [
    "{",
    "|",
    "^",
    "~",
    "%7e",
    "'",
    '"',
    "<",
    "*",
    "!",
    "$",
    "(",
    "%28",
    "\u200b",
    "\u00ad",
    "%00",
    "ß",
    "İ",
    "😀",
]
TEXTS = st.lists(st.sampled_from([*PIECES, " ", "\\", "\t", "/workspace", "C:", "\u3000"]), max_size=8).map("".join)
HOSTS = [
    "a.test",
    "A.Test",
    "a.test.",
    "bücher.test",
    "ａ.test",
    "a。test",
    "[::1]",
    "[::ffff:1.2.3.4]",
    "1.2.3.4",
    "[",
]
URLS = st.tuples(
    st.sampled_from(["http://", "HTTPS://", "http:", "//", ""]),
    st.sampled_from(HOSTS) | TEXTS,
    st.sampled_from(["", ":80", ":443", ":8080", ":", ":0080", ":x"]),
    st.just("") | TEXTS.map("/".__add__) | TEXTS,
).map("".join)
OFTEN = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def canonical(tool_id: str, **input: Any) -> dict[str, Any] | None:
    """The tool's arguments in canonical form; None when it refuses them, by the name of the field."""
    try:
        return BUILT_IN[tool_id].canonical_input(input)
    except Invalid as fault:
        assert {name.partition(".")[0] for name in fault.context["errors"]} <= set(input)
        return None


@pytest.mark.parametrize(
    "tool_id, name, more",
    [
        ("files.write", "path", {"content": "x"}),
        ("files.read", "path", {}),
        ("write_file", "path", {"content": "x"}),
        ("read_file", "path", {}),
        ("list_files", "root", {}),
        ("search_files", "path", {"pattern": "x"}),
    ],
)
@given(text=TEXTS)
@example("./C:/x")
@example("/workspace//workspace/ x")
@example(" /workspace/ ./ x ")
@OFTEN
def test_a_path_that_is_canonical_stays(tool_id: str, name: str, more: dict[str, Any], text: str) -> None:
    once = canonical(tool_id, **{name: text}, **more)
    if once is not None:
        assert canonical(tool_id, **once) == once
        assert once[name] in ("", ".") or checked_path(once[name]) == once[name]


@given(url=URLS)
@example("http://a.test:[/")
@example("http://a.test/" + "é" * 1000)
@OFTEN
def test_a_url_that_is_canonical_stays(url: str) -> None:
    once = canonical("http.request", url=url, headers={"X-A": "1"})
    if once is not None:
        assert canonical("http.request", **once) == once and len(once["url"]) <= MAX_URL
        assert canonical("webhook.send", url=once["url"], type="x") == {"url": once["url"], "type": "x"}


@given(subject=TEXTS, local=st.sampled_from(["a", "A", "a+b"]), domain=st.sampled_from(HOSTS) | TEXTS)
@OFTEN
def test_mail_that_is_canonical_stays(subject: str, local: str, domain: str) -> None:
    once = canonical("mail.send", to=[f"{local}@{domain}"], subject=subject, body="x")
    if once is not None:
        assert canonical("mail.send", **once) == once


@pytest.mark.parametrize("to", ["ada@EXAMPLE.com", "ada@ｅｘａｍｐｌｅ.com", "ada@example。com"])
def test_the_domain_of_an_address_has_one_spelling(to: str) -> None:
    once = canonical("mail.send", to=[to], subject=" Your\r\n room ", body="x")
    assert once and (once["to"], once["subject"]) == (["ada@example.com"], "Your room")
    assert canonical("mail.send", to=[to], subject=" \n ", body="x") is None


@given(tail=TEXTS.map("/".__add__) | st.sampled_from(["", "#part", "?", "?q=%73"]))
@settings(OFTEN, max_examples=60)
@example("/a/../%73ecret/%2e/x?q=%73&r=+%2B%20#part")
def test_a_url_is_sent_as_it_was_judged(far_end: FarEnd, tail: str) -> None:
    once = canonical("http.request", url=f"HTTP://127.0.0.1:{far_end.port}{tail}")
    if once is not None:
        far_end.hits.clear()
        call(BUILT_IN["http.request"], once)
        (hit,) = far_end.hits
        assert f"http://{hit.headers['host']}{hit.path}" == once["url"]


@given(input=st.dictionaries(st.sampled_from(["q", "r", "a b", "é&="]), TEXTS, min_size=1, max_size=3))
@settings(OFTEN, max_examples=60)
def test_a_query_made_from_arguments_says_what_was_judged(far_end: FarEnd, input: dict[str, str]) -> None:
    far_end.hits.clear()
    call(http_tool(f"{far_end.url}/find", "GET"), input)
    (hit,) = far_end.hits
    parts = urlsplit(hit.path)
    assert parts.path == "/find" and dict(parse_qsl(parts.query, keep_blank_values=True)) == input
    assert str(canonical_url(with_query(f"{far_end.url}/find", input))) == f"{far_end.url}{hit.path}"


def test_a_redirect_is_called_in_its_one_spelling(far_end: FarEnd) -> None:
    location = {"location": "/a/../%73ecret?q=%7e"}
    far_end.answer = lambda hit: (302, location, b"") if hit.path == "/" else (200, {}, b"")
    call(BUILT_IN["http.request"], {"url": far_end.url})
    assert [hit.path for hit in far_end.hits] == ["/", "/secret?q=~"]
    far_end.answer = lambda _: (302, {"location": "http://a.test:[/"}, b"")
    with pytest.raises(Exception, match="no URL"):
        call(BUILT_IN["http.request"], {"url": far_end.url})


def test_headers_are_sent_as_they_were_judged(far_end: FarEnd) -> None:
    once = canonical("http.request", url=far_end.url, headers={"X-Admin": "1", "AUTHORIZATION": "x"})
    assert once and dict(once["headers"]) == {"x-admin": "1", "authorization": "x"}
    assert isinstance(once["headers"], Headers) and "X-Admin" in once["headers"] and 5 not in once["headers"]
    assert json.loads(json.dumps(once)) == once
    call(BUILT_IN["http.request"], once)
    assert far_end.hits[0].headers["x-admin"] == "1"
    assert canonical("http.request", url=far_end.url, headers={"Host": "x"}) is None


@pytest.mark.parametrize("text", ["nothing", "", "1234", "{}", "é" * 36])
def test_what_is_no_uuid_stays_as_it_is(text: str) -> None:
    assert canonical("memory.retrieve", memory_id=text) == {"memory_id": text}


@given(path=TEXTS)
@settings(OFTEN, max_examples=100)
def test_a_workspace_writes_where_it_was_judged(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    once = canonical("write_file", path=path, content="x")
    if once is not None:
        space = Workspace(uuid.uuid4())
        space.root = tmp_path_factory.mktemp("space")
        space.owner = None
        space.write_file(path, b"x")
        space.write_file(once["path"], b"x")
        files = [str(file.relative_to(space.root)) for file in Path(space.root).rglob("*") if file.is_file()]
        assert files == [once["path"]]
