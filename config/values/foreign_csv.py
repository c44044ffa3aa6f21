"""One reading of CSV that others wrote (RFC 4180, and what spreadsheets make of it): texts as they are, or a reason.

The encoding is that of the byte order mark, UTF-16 by its NULs, UTF-8, else windows-1252. The header is a record like
the others. The separator is the one that stands between the fields: outside of quotes, as often in the rows as in the
header.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

SEPARATORS = "\t;,"  # in the order of preference where the rows allow several
MAX_FIELD = 1_000_000  # characters
SAMPLE_LINES, SAMPLE_CHARACTERS = 200, 256 * 1024
CHUNK = 1024 * 1024
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n?", re.IGNORECASE)  # what Excel writes before the header
csv.field_size_limit(MAX_FIELD)


class UnreadableCSV(ValueError):
    """The file is no CSV that can be read; the message says where and why."""


@dataclass(frozen=True)
class Record:
    """A row: the line that it begins in, and a text or None (there was none) for each column."""

    line: int
    cells: list[str | None]


class CSVFile:
    """A CSV: its header at once, its records as often as they are asked for. Raises UnreadableCSV."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source
        self.encoding = encoding_of(source)
        self.separator = self._separator()
        first = next(self._records(), None)
        if first is None or not any(name.strip() for name in first[1]):
            raise UnreadableCSV("The CSV needs a first line with the names of its columns.")
        self.header_line, self.header = first

    @property
    def notes(self) -> list[str]:
        """What a reader should know of how it was read."""
        if self.encoding not in ("cp1252", "latin-1"):
            return []
        encoding = self.encoding.replace("cp", "windows-")
        return [f"The file is not UTF-8; it was read as {encoding}. Save it as UTF-8 if letters look wrong."]

    def records(self) -> Iterator[Record]:
        """The rows after the header; a short one is filled up with None."""
        rows = self._records()
        next(rows)
        width = len(self.header)
        for line, cells in rows:
            if len(cells) > width:
                raise UnreadableCSV(
                    f"Line {line} has {len(cells)} values, but there are {width} columns; put a text that holds the "
                    "separator in double quotes."
                )
            yield Record(line, [*cells, *[None] * (width - len(cells))])

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """(first line, cells) of each record that is no blank line."""
        lines = self._lines()
        reader, begins = csv.reader(lines, delimiter=self.separator, strict=True), 1
        try:
            for cells in reader:
                if cells and not (begins == 1 and SEPARATOR_LINE.fullmatch(self.separator.join(cells))):
                    yield begins, cells
                begins = reader.line_num + 1
        except csv.Error as error:
            raise UnreadableCSV(f"The CSV cannot be read: line {begins}: {error}.") from None

    def _lines(self) -> Iterator[str]:
        self.source.seek(0)
        text = io.TextIOWrapper(io.BufferedReader(_KeepOpen(self.source)), self.encoding, newline="")
        try:
            for number, line in enumerate(text, start=1):
                if "\0" in line:
                    raise UnreadableCSV(f"Line {number} holds a NUL character; is it a text file?")
                yield line
        except UnicodeDecodeError as error:
            raise UnreadableCSV(f"The file is no valid {self.encoding.upper()}: {error.reason}.") from None

    def _separator(self) -> str:
        lines, size = [], 0
        for line in islice(self._lines(), SAMPLE_LINES):
            lines.append(line)
            size += len(line)
            if size > SAMPLE_CHARACTERS:
                break
        if lines and (match := SEPARATOR_LINE.fullmatch(lines[0])):
            return match[1]
        scores = {separator: _score(lines, separator) for separator in SEPARATORS}
        best = max(SEPARATORS, key=lambda separator: scores[separator])
        return best if scores[best] > NO_SEPARATOR else ","


def unique_names(header: Iterable[str]) -> list[str]:
    """The names as they are; columns without one, or with one that another has, get a new one."""
    names: list[str] = []
    header = list(header)
    for position, text in enumerate(header, start=1):
        plain = text if text.strip() else f"column_{position}"
        name, number = plain, 2
        while name in names or (name != text and name in header):
            name, number = f"{plain}_{number}", number + 1
        names.append(name)
    return names


def encoding_of(source: IO[bytes]) -> str:
    """The encoding of a text file, by its bytes."""
    source.seek(0)
    head = source.read(4096)
    for mark, encoding in MARKS:
        if head.startswith(mark):
            return encoding
    even, odd = head[::2].count(0), head[1::2].count(0)  # in UTF-16 there is a NUL beside each letter of ASCII
    if len(head) % 2 == 0 and max(even, odd) * 10 > len(head) * 3 and min(even, odd) * 20 < max(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    return _eight_bits(source)


def _eight_bits(source: IO[bytes]) -> str:
    """utf-8, or cp1252 where no character would be UTF-8; UnreadableCSV for a mixture of both."""
    error = _first_error(source)
    if error is None:
        return "utf-8"
    source.seek(0)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    has_gaps = False
    while chunk := source.read(CHUNK):
        has_gaps = has_gaps or any(byte in chunk for byte in b"\x81\x8d\x8f\x90\x9d")
        if any(character > "\x7f" and character != "\ufffd" for character in decoder.decode(chunk)):
            place, line = error
            raise UnreadableCSV(
                f"The file is not UTF-8 throughout: see byte {place + 1} (line {line}). Save it as UTF-8, in a "
                "spreadsheet as “CSV UTF-8”."
            )
    return "latin-1" if has_gaps else "cp1252"


def _first_error(source: IO[bytes]) -> tuple[int, int] | None:
    """(offset, line) of the first byte that is no UTF-8."""
    source.seek(0)
    decoder, offset, line = codecs.getincrementaldecoder("utf-8")(), 0, 1
    while True:
        chunk = source.read(CHUNK)
        pending = len(decoder.getstate()[0])
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            return offset - pending + error.start, line + before.count(b"\n")
        if not chunk:
            return None
        offset, line = offset + len(chunk), line + chunk.count(b"\n")


NO_SEPARATOR = (0.0, 0.0, 0)


def _score(lines: list[str], separator: str) -> tuple[float, float, int]:
    """(how alike the rows are, less where fields begin with a blank, columns); NO_SEPARATOR when it separates nothing.

    An error within the rows ends the sample: it is reported when the file is read.
    """
    rows = _until_error(lines, separator)
    if not rows or len(rows[0]) < 2:
        return NO_SEPARATOR
    width = len(rows[0])
    alike = [1.0 if len(row) == width else 0.5 if 1 < len(row) < width else 0.0 for row in rows[1:]]
    fields = [field for row in rows for field in row[1:]]
    blank_starts = sum(field.startswith(" ") for field in fields) / max(len(fields), 1)
    return (sum(alike) / len(alike) if alike else 0.5), -blank_starts, width


def _until_error(lines: list[str], separator: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(lines, delimiter=separator, strict=True):
            if row:
                rows.append(row)
    except csv.Error:
        pass
    return rows


class _KeepOpen(io.RawIOBase):
    """The file without its end: what reads it may close this, and the file stays open."""

    def __init__(self, source: IO[bytes]) -> None:
        self.source = source

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        part = self.source.read(len(buffer))
        buffer[: len(part)] = part
        return len(part)
