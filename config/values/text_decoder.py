"""A text that comes in pieces, made whole: halves of a character in two of them are joined."""

from config.values.foreign_json import clean_text


class Joiner:
    """A first half waits for the piece that follows; a lone one, and NUL, become U+FFFD."""

    def __init__(self) -> None:
        self.half = ""

    def take(self, piece: str) -> str:
        """What of the text is whole by now and was not given before."""
        piece, self.half = self.half + piece, ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self.half = piece[:-1], piece[-1]
        return clean_text(piece)

    def rest(self) -> str:
        """What the end of the text adds: U+FFFD for a half whose other one never came."""
        half, self.half = self.half, ""
        return clean_text(half)
