"""Whole numbers that clients write as text: in queries, headers and patterns."""

MAX_DIGITS = 18  # what has more is beyond every place, size and limit of ours


def whole_number(text: str) -> int | None:
    """The number that the text is, however many zeros it begins with; None when it is none. One of more than MAX_DIGITS
    digits is read as the largest that has so many.
    """
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        return None
    digits = digits.lstrip("0") or "0"
    number = int(digits) if len(digits) <= MAX_DIGITS else 10**MAX_DIGITS - 1
    return -number if text.startswith("-") else number
