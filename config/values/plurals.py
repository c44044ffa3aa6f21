"""Numbers of things in sentences."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """“1 secret”, “2 secrets”; a plural that does not end in s is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
