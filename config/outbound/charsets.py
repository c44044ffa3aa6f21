"""The text of an answer's bytes: in the charset that a byte order mark, the header or the document itself names."""

import codecs
import json
import re

IN_HEADER = re.compile(r"""(?:^|[;,\s])charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,"']+))""", re.IGNORECASE)
IN_XML = re.compile(rb"""\A\s*<\?xml[^>]*?\bencoding\s*=\s*["']([\w.:-]+)""")
IN_HTML = re.compile(rb"""<meta[^>]+?charset\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
HEAD_BYTES = 1024  # bytes of a document in which it may name its charset
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Python's codecs that are no charsets, or have meanings of their own.
NO_CHARSETS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined", "utf-7"})
# Documents in windows-1252 are often declared as these; browsers read them so.
AS_WINDOWS = frozenset({"iso8859-1", "ascii"})


def text_of(body: bytes, content_type: str) -> str:
    """The body as text; bytes that its charset does not have become U+FFFD, an unknown charset is read as UTF-8."""
    for name in (_mark(body), _in_header(content_type), _in_document(body, content_type)):
        if name and (codec := _codec(name)):
            return body.decode(codec, "replace").removeprefix("\ufeff")
    return body.decode(json.detect_encoding(body) if "json" in content_type.lower() else "utf-8", "replace")


def _mark(body: bytes) -> str:
    return next((name for mark, name in MARKS if body.startswith(mark)), "")


def _in_header(content_type: str) -> str:
    match = IN_HEADER.search(content_type)
    return next((name.strip() for name in match.groups() if name), "") if match else ""


def _in_document(body: bytes, content_type: str) -> str:
    """What an XML or HTML document says at its beginning."""
    kind, beginning = content_type.lower(), body[:HEAD_BYTES]
    match = IN_XML.search(beginning) if "xml" in kind else None
    if match is None and "html" in kind:
        match = IN_HTML.search(beginning)
    name = match[1].decode("ascii", "replace") if match else ""
    return "" if name.lower().startswith(("utf-16", "utf-32")) else name  # it could not be read if it were so


def _codec(name: str) -> str:
    """Python's name of the charset, empty for what is none."""
    try:
        codec = codecs.lookup(name).name
        b"    ".decode(codec, "replace")  # LookupError for codecs that make no text
    except (LookupError, ValueError, UnicodeError):
        return ""
    if codec.replace("_", "-") in NO_CHARSETS:
        return ""
    return "cp1252" if codec in AS_WINDOWS else codec
