"""The channels that alerts are sent to: webhook, slack, pagerduty, email. Configs hold secrets: stored encrypted."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from config.outbound import mail
from config.outbound.client import OutboundRefused, target
from config.values.json_types import JsonObject
from governance import vault

SECRET = "routing_key"  # the part of a config that is shown to nobody  # noqa: S105
VISIBLE_CHARACTERS, MASK = 4, "…"  # so many of its last characters, after this
MAX_CHANNELS, MAX_TEXT_LENGTH = 10, 2048
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
TYPES = ("webhook", "email", "slack", "pagerduty")
Channel = JsonObject


class BadChannel(Exception):
    """What is wrong with the channels, in a sentence."""


def encrypt_channels(channels: list[Channel]) -> str:
    """The channels as they are stored."""
    return vault.encrypt(channels)


def decrypt_channels(text: str) -> list[Channel]:
    """The stored channels."""
    channels: list[Channel] = vault.decrypt(text)
    return channels


def mask_channels(channels: list[Channel]) -> list[Channel]:
    """The channels as clients may see them: the secrets masked."""
    return [{"type": one["type"], "config": _mask_secret(one["config"])} for one in channels]


def _mask_secret(config: Mapping[str, Any]) -> JsonObject:
    secret = config.get(SECRET)
    if not secret:
        return dict(config)
    visible = secret[-VISIBLE_CHARACTERS:] if len(secret) >= 4 * VISIBLE_CHARACTERS else ""
    return {**config, SECRET: MASK + visible}


def check_channels(data: Any, before: list[Channel]) -> list[Channel]:
    """The channels, each with what its type needs; BadChannel. A secret that comes back masked stays as it was."""
    if not isinstance(data, list):
        raise BadChannel("Must be an array of channels: [{type, config}].")
    if len(data) > MAX_CHANNELS:
        raise BadChannel(f"Must be at most {MAX_CHANNELS} channels.")
    return [_check_channel(at, one, before) for at, one in enumerate(data)]


def _check_channel(at: int, data: Any, before: list[Channel]) -> Channel:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in TYPES:
        raise BadChannel(f"channels[{at}].type must be one of {', '.join(TYPES)}.")
    config = data.get("config", {})
    if not isinstance(config, dict):
        raise BadChannel(f"channels[{at}].config must be an object.")
    if str(config.get(SECRET, "")).startswith(MASK):
        return {"type": kind, "config": _as_before(at, config, before)}
    return {"type": kind, "config": CHECKS[kind](f"channels[{at}].config", config)}


def _as_before(at: int, config: JsonObject, before: list[Channel]) -> JsonObject:
    """The config whose secret came back masked, which is accepted for the URL that it was sent to before."""
    for old in [*before[at : at + 1], *before]:
        masked_config = _mask_secret(old["config"])
        same_secret = masked_config.get(SECRET) == config[SECRET]
        if same_secret and config.get("url", masked_config["url"]) == masked_config["url"]:
            return old["config"]
    raise BadChannel(f"channels[{at}].config.{SECRET} is masked: send it whole.")


def _url(path: str, config: Mapping[str, Any], *names: str, default: str = "") -> str:
    url = next((config[name] for name in names if config.get(name)), default)
    if not isinstance(url, str) or not url:
        raise BadChannel(f"{path}.{names[0]} is required: the URL to POST to.")
    try:
        target(url)
    except OutboundRefused as refusal:
        raise BadChannel(f"{path}.{names[0]}: {refusal.message}") from None
    return url


def _webhook(path: str, config: Mapping[str, Any]) -> JsonObject:
    return {"url": _url(path, config, "url")}


def _slack(path: str, config: Mapping[str, Any]) -> JsonObject:
    return {"url": _url(path, config, "url", "webhook_url")}


def _pagerduty(path: str, config: Mapping[str, Any]) -> JsonObject:
    key = config.get(SECRET)
    if not isinstance(key, str) or not key.strip() or len(key) > MAX_TEXT_LENGTH:
        raise BadChannel(f"{path}.{SECRET} is required: the integration key of a PagerDuty service (Events API v2).")
    return {SECRET: key.strip(), "url": _url(path, config, "url", default=PAGERDUTY)}


def _email(path: str, config: Mapping[str, Any]) -> JsonObject:
    if not settings.EMAIL_HOST:
        raise BadChannel(f"{path}: {mail.NOT_SET_UP}")
    recipients = next((config[name] for name in ("to", "recipients", "email") if name in config), None)
    try:
        return {"to": mail.recipients(recipients)}
    except ValueError as fault:
        raise BadChannel(f"{path}.to: {fault}") from None


CHECKS = {"webhook": _webhook, "slack": _slack, "pagerduty": _pagerduty, "email": _email}
