"""A number and its noun in a sentence."""


def quantity(number: int, noun: str, plural: str = "") -> str:
    """“1 secret”, “2 secrets”; `plural`: of a noun that does not form it with s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
