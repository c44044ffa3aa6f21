"""Typed readers of the environment: a bad value stops the start, naming the variable and the remedy."""

import os
from pathlib import Path


class BadSetting(SystemExit):
    """A variable of the environment has a value that cannot be used."""

    def __init__(self, name: str, remedy: str) -> None:
        super().__init__(f"{name}: {remedy}")


def env_text(name: str, default: str = "") -> str:
    """The variable's text, or the content of the file that NAME_FILE points at (Docker and systemd secrets)."""
    file = os.environ.get(f"{name}_FILE")
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as fault:
            raise BadSetting(f"{name}_FILE", f"cannot read {file}: {fault.strerror}") from None
    return os.environ.get(name, "").strip() or default


LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def env_choice(name: str, default: str, choices: tuple[str, ...], upper: bool = False) -> str:
    """One of these texts, in small or capital letters."""
    text = env_text(name, default)
    value = text.upper() if upper else text.lower()
    if value not in choices:
        raise BadSetting(name, f"{text!r} is none of {', '.join(choices)}")
    return value


def env_bool(name: str, default: bool) -> bool:
    """True for 1, true, yes, on; False for 0, false, no, off."""
    text = env_text(name).lower()
    if not text:
        return default
    if text in {"1", "true", "yes", "on"}:
        return True
    if text in {"0", "false", "no", "off"}:
        return False
    raise BadSetting(name, f"{text!r} is neither yes nor no; use 1 or 0")


def env_int(name: str, default: int, least: int = 0, most: int = 2**31 - 1) -> int:
    """A whole number between `least` and `most`."""
    text = env_text(name)
    if not text:
        return default
    try:
        value = int(text)
    except ValueError:
        raise BadSetting(name, f"{text!r} is not a whole number") from None
    if not least <= value <= most:
        raise BadSetting(name, f"{value} is not between {least} and {most}")
    return value


def env_float(name: str, default: float, least: float = 0.0) -> float:
    """A number that is at least `least`."""
    text = env_text(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise BadSetting(name, f"{text!r} is not a number") from None
    if not value >= least:
        raise BadSetting(name, f"{value} is less than {least}")
    return value


def env_list(name: str, default: tuple[str, ...] = ()) -> list[str]:
    """The parts of a comma-separated value, without blanks."""
    text = env_text(name)
    return [part.strip() for part in text.split(",") if part.strip()] if text else list(default)
