"""A text that comes in pieces, made whole: halves of a character in two of them are joined."""

from config.values.foreign_json import clean_text


class Joiner:
    """A first half waits for the piece that follows; a lone one, and NUL, become U+FFFD."""

    def __init__(self) -> None:
        self.half = ""

    def take(self, piece: str) -> str:
        """The characters that this piece completes."""
        piece, self.half = self.half + piece, ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self.half = piece[:-1], piece[-1]
        return clean_text(piece)

    def rest(self) -> str:
        """U+FFFD when the text ended with half a character, else nothing."""
        half, self.half = self.half, ""
        return clean_text(half)
