"""The text of files: what a person would read of them."""

import pytest

from memory.files.text_extraction import NoText, extract_text


def pdf(text: str) -> bytes:
    """A PDF of one page with this text."""
    stream = f"BT /F1 24 Tf 72 700 Td ({text}) Tj ET".encode()
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    body, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"xref\n0 6\n0000000000 65535 f \n%strailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF"
    return body + tail % (table, len(body))


@pytest.mark.parametrize(
    "content,mime_type,text",
    [
        (b"plain", "text/plain", "plain"),
        ("Übung".encode(), "text/markdown", "Übung"),
        ("Übung".encode("latin-1"), "text/csv", "Übung"),
        ("Übung".encode("utf-16"), "text/plain", "Übung"),
        (b"\xef\xbb\xbfmark", "text/plain", "mark"),
        (b'{"a": 1}', "application/json", '{"a": 1}'),
        (b"no type but text", "application/octet-stream", "no type but text"),
        (b"a\x00b", "text/plain", "ab"),
        (pdf("Invoice 4711"), "application/pdf", "Invoice 4711"),
        (
            b"<html><head><title>no</title><style>p{}</style></head><body><h1>Rooms</h1><script>x()</script>"
            b"<p>Room&nbsp;204 is <b>wet</b>.</p><p>Room 205 is dry.</p></body></html>",
            "text/html",
            "Rooms\n\nRoom\xa0204 is wet.\n\nRoom 205 is dry.",
        ),
    ],
)
def test_text_is_read(content: bytes, mime_type: str, text: str) -> None:
    assert extract_text(content, mime_type) == text


@pytest.mark.parametrize(
    "content,mime_type",
    [
        (b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", "image/png"),
        (b"%PDF-1.4 and then nothing of the kind", "application/pdf"),
        (bytes(range(256)), "application/octet-stream"),
    ],
)
def test_what_holds_no_text_says_so(content: bytes, mime_type: str) -> None:
    with pytest.raises(NoText):
        extract_text(content, mime_type)
