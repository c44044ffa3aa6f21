"""The text of an answer is read in the charset that its bytes, its header or the document names."""

import pytest

from config.outbound.client import Answer


def text(body: bytes, kind: str) -> str:
    """The text of an answer of this content type."""
    return Answer(200, {"content-type": kind}, body).text


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain; charset=iso-8859-1",
        'text/plain; charset="ISO-8859-1"',
        "text/plain; charset='latin1'",
        "text/plain;CHARSET=Latin-1",
        "text/csv; header=present; charset=windows-1252",
        "application/json; charset=ISO-8859-1",
        "text/plain; boundary=x; charset = iso8859-1 ; other=y",
    ],
)
def test_the_header_names_the_charset(kind: str) -> None:
    assert text("São Paulo, não".encode("latin-1"), kind) == "São Paulo, não"


@pytest.mark.parametrize("codec", ["shift_jis", "euc-jp", "gb18030", "big5", "euc-kr"])
def test_charsets_of_asia_are_read(codec: str) -> None:
    assert text("東京".encode(codec), f"text/plain; charset={codec}") == "東京"


@pytest.mark.parametrize("codec", ["koi8-r", "windows-1251", "iso-8859-5"])
def test_charsets_of_cyrillic_are_read(codec: str) -> None:
    assert text("Москва".encode(codec), f"text/html; charset={codec}") == "Москва"


@pytest.mark.parametrize(
    "name",
    ["nonsense", "", "base64", "rot13", "hex", "zlib", "idna", "unicode_escape", "undefined", "x" * 5000, "ü", "utf-7"],
)
def test_a_charset_that_is_none_is_read_as_utf_8(name: str) -> None:
    assert text("São \\u0041 +AGE-".encode(), f"text/plain; charset={name}") == "São \\u0041 +AGE-"


def test_bytes_that_the_charset_lacks_are_replaced() -> None:
    assert text(b"a\xffb", "text/plain; charset=utf-8") == "a\ufffdb"
    assert text(b"a\xff", "text/plain; charset=shift_jis").startswith("a")


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("kind", ["", "text/plain", "text/plain; charset=iso-8859-1"])
def test_a_byte_order_mark_says_more_than_the_header(codec: str, kind: str) -> None:
    assert text("São".encode(codec), kind) == "São"


@pytest.mark.parametrize(
    "kind,body",
    [
        ("application/xml", '<?xml version="1.0" encoding="ISO-8859-1"?><a>São</a>'),
        ("text/xml", "<?xml version='1.0' encoding='iso-8859-1' ?>\n<a>São</a>"),
        ("text/html", "<html><meta charset=latin1><p>São</p>"),
        ("text/html", '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1"><p>São</p>'),
    ],
)
def test_a_document_may_name_its_charset_itself(kind: str, body: str) -> None:
    assert text(body.encode("latin-1"), kind) == body


def test_the_header_goes_before_the_document() -> None:
    body = '<?xml version="1.0" encoding="ISO-8859-1"?><a>São</a>'
    assert text(body.encode(), "text/xml; charset=utf-8") == body


def test_windows_characters_under_the_name_of_latin_1() -> None:
    assert text(b"\x93quoted\x94 \x80 5", "text/plain; charset=iso-8859-1") == "“quoted” € 5"


def test_without_a_charset_it_is_utf_8() -> None:
    for kind in ("", "text/plain", "application/json", "text/html"):
        assert text("São".encode(), kind) == "São"
