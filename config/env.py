"""Typed readers of the environment: a bad value stops the start, naming the variable and the remedy."""

import base64
import os
import secrets
from contextlib import suppress
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit


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


def env_url(name: str, schemes: tuple[str, ...] = ("http", "https")) -> str:
    """An absolute URL of one of these schemes, or ""."""
    text = env_text(name)
    try:
        parts = urlsplit(text)
        is_url = parts.scheme in schemes and bool(parts.hostname or parts.path) and (parts.port or 1) > 0
    except ValueError:
        is_url = False
    if text and not is_url:
        raise BadSetting(name, f"must be a URL that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    return text


def env_pair(*names: str) -> tuple[str, ...]:
    """The texts of variables that are set together or not at all."""
    texts = tuple(env_text(name) for name in names)
    for name, text in zip(names, texts, strict=True):
        if not text and any(texts):
            set_one = next(other for other, value in zip(names, texts, strict=True) if value)
            raise BadSetting(name, f"must be set when {set_one} is")
    return texts


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


def env_networks(name: str) -> list[str]:
    """The hosts, addresses and CIDRs of a comma-separated value."""
    entries = env_list(name)
    for entry in entries:
        try:
            ip_network(entry.strip("[]"), strict=False)
        except ValueError:
            if "/" in entry:
                raise BadSetting(name, f"{entry!r} is neither a host, an address nor a CIDR (10.0.0.0/8)") from None
    return entries


def env_keys(name: str) -> list[str]:
    """The Fernet keys of a comma-separated value."""
    keys = env_list(name)
    for number, key in enumerate(keys, start=1):
        try:
            is_key = len(base64.urlsafe_b64decode(key)) == 32
        except ValueError:
            is_key = False
        if not is_key:
            raise BadSetting(
                name, f"key {number} is no Fernet key: 32 bytes in base64; openssl rand -base64 32 makes one"
            )
    return keys


def env_secret_key(data_dir: Path | None) -> str:
    """SECRET_KEY, or one made once in `data_dir`, readable by its owner alone; BadSetting without either."""
    text = env_text("SECRET_KEY")
    if text:
        if len(text) < 32:
            raise BadSetting("SECRET_KEY", "is shorter than 32 characters; make one with: openssl rand -base64 48")
        return text
    if data_dir is None:
        raise BadSetting("SECRET_KEY", "must be set when DATABASE_URL is; make one with: openssl rand -base64 48")
    file = data_dir / "secret_key"
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            with suppress(FileExistsError), file.open("x") as new:
                file.chmod(0o600)
                new.write(secrets.token_urlsafe(48))
        return file.read_text()
    except OSError as error:
        raise BadSetting("DATA_DIR", f"cannot use {error.filename}: {error.strerror}; name a folder of yours") from None
