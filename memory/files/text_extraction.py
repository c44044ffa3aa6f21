"""The text in a file: of plain text, HTML and PDF; so that agents can read them, and searches find them."""

import re
from html.parser import HTMLParser
from io import BytesIO

from config.errors import DomainError
from config.values.foreign_json import clean_text

MAX_TEXT_LENGTH = 400_000  # characters
MAX_PAGES = 500
TEXT_SUBTYPES = ("json", "xml", "yaml", "csv", "javascript", "x-sh", "toml", "sql")
SILENT = frozenset({"script", "style", "template", "noscript", "svg", "head"})
BREAKS = frozenset({"p", "div", "br", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "section", "article", "pre"})
BLANKS = re.compile(r"[ \t\r\f\v]+")
LINES = re.compile(r"\n\s*\n\s*")


class NoText(DomainError):
    """The file holds no text that can be read."""

    code = "NO_TEXT"


def extract_text(content: bytes, mime_type: str) -> str:
    """The file's text, cut at MAX_TEXT_LENGTH; NoText for pictures and the like, and for a PDF that cannot be read."""
    kind = mime_type.split(";")[0].strip().lower()
    if kind == "application/pdf" or content.startswith(b"%PDF-"):
        text = _pdf_text(content)
    elif kind in ("text/html", "application/xhtml+xml"):
        text = html_text(_decode(content, kind))
    else:
        text = _decode(content, kind)
    return clean_text(text.replace("\x00", ""))[:MAX_TEXT_LENGTH]  # fonts of PDF files may make half characters


def _decode(content: bytes, kind: str) -> str:
    """The text in UTF-8, or UTF-16 when its first bytes say so; any bytes when the type says that it is text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if kind.startswith("text/") or any(word in kind for word in TEXT_SUBTYPES):
            return content.decode("latin-1")
        raise NoText(f"A file of the type {kind} holds no text that can be read; ask for it as base64.") from None
    if "\x00" in text and not kind.startswith("text/"):
        raise NoText(f"A file of the type {kind} holds no text that can be read; ask for it as base64.")
    return text


def _pdf_text(content: bytes) -> str:
    from pypdf import PdfReader  # takes a moment to import, and only workers read files
    from pypdf.errors import PyPdfError

    try:
        pages = PdfReader(BytesIO(content)).pages
        texts, length = [], 0
        for page in pages[:MAX_PAGES]:
            texts.append(page.extract_text())
            length += len(texts[-1])
            if length > MAX_TEXT_LENGTH:
                break
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as fault:
        raise NoText(f"The PDF cannot be read: {fault}") from None
    return "\n\n".join(texts).strip()


class _Visible(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A new line, or a part that nobody sees."""
        self.silent += tag in SILENT
        if tag in BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """The end of it."""
        self.silent = max(self.silent - (tag in SILENT), 0)
        if tag in BREAKS:
            self.parts.append("\n")

    def handle_data(self, data: str) -> None:
        """Text."""
        if not self.silent:
            self.parts.append(data)


def html_text(html: str) -> str:
    """The text that a browser would show of this page."""
    reader = _Visible()
    reader.feed(html)
    reader.close()
    lines = (line.strip() for line in BLANKS.sub(" ", "".join(reader.parts)).split("\n"))
    return LINES.sub("\n\n", "\n".join(lines)).strip()
