"""Whole characters: halves of a UTF-16 pair that follow each other are joined; a lone half, and NUL, become U+FFFD.

Models stream such halves in chunks of their own. No UTF-8 holds one, no database a NUL.
"""

import re

HALF = re.compile("[\ud800-\udfff\x00]")
REPLACEMENT = "\ufffd"


def whole(text: str) -> str:
    """The text in whole characters, each of which UTF-8 and PostgreSQL can hold."""
    if not HALF.search(text):
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\x00", REPLACEMENT)


class Joiner:
    """Makes the pieces of one text whole: a first half waits for the piece that follows."""

    def __init__(self) -> None:
        self.half = ""

    def take(self, piece: str) -> str:
        """What of the text is whole by now and was not given before."""
        piece = self.half + piece
        self.half = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self.half = piece[:-1], piece[-1]
        return whole(piece)

    def rest(self) -> str:
        """What the end of the text adds: U+FFFD for a half whose other one never came."""
        half, self.half = self.half, ""
        return REPLACEMENT if half else ""
