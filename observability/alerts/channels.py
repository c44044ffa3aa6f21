"""Where alerts are told: webhook, slack, pagerduty, email. Configs hold tokens and keys, so they are kept sealed."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from config.outbound import mail
from config.outbound.client import OutboundRefused, target
from governance import vault

SECRET = "routing_key"  # the part of a config that is shown to nobody  # noqa: S105
SHOWN, MASK = 4, "…"  # so many of its last characters, after this
MAX_CHANNELS, MAX_TEXT_LENGTH = 10, 2048
PAGERDUTY = "https://events.pagerduty.com/v2/enqueue"
TYPES = ("webhook", "email", "slack", "pagerduty")
Channel = dict[str, Any]


class BadChannel(Exception):
    """What is wrong with the channels, in a sentence."""


def sealed(channels: list[Channel]) -> str:
    """The channels as a row keeps them."""
    return vault.sealed(channels)


def opened(text: str) -> list[Channel]:
    """The channels of a row."""
    found: list[Channel] = vault.opened(text)
    return found


def shown(channels: list[Channel]) -> list[Channel]:
    """The channels as clients may see them."""
    return [{"type": one["type"], "config": _masked(one["config"])} for one in channels]


def _masked(config: Mapping[str, Any]) -> dict[str, Any]:
    told = dict(config)
    if told.get(SECRET):
        told[SECRET] = MASK + (told[SECRET][-SHOWN:] if len(told[SECRET]) >= 4 * SHOWN else "")
    return told


def checked(data: Any, before: list[Channel]) -> list[Channel]:
    """The channels, each with what its type needs; BadChannel. A secret that comes back masked stays as it was."""
    if not isinstance(data, list):
        raise BadChannel("Must be an array of channels: [{type, config}].")
    if len(data) > MAX_CHANNELS:
        raise BadChannel(f"Must be at most {MAX_CHANNELS} channels.")
    return [_checked(at, one, before) for at, one in enumerate(data)]


def _checked(at: int, data: Any, before: list[Channel]) -> Channel:
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in TYPES:
        raise BadChannel(f"channels[{at}].type must be one of {', '.join(TYPES)}.")
    given = data.get("config", {})
    if not isinstance(given, dict):
        raise BadChannel(f"channels[{at}].config must be an object.")
    if str(given.get(SECRET, "")).startswith(MASK):
        return {"type": kind, "config": _as_before(at, given, before)}
    return {"type": kind, "config": CHECKS[kind](f"channels[{at}].config", given)}


def _as_before(at: int, given: dict[str, Any], before: list[Channel]) -> dict[str, Any]:
    """The config whose secret came back masked, which only where it was sent before it may stand for itself."""
    for old in [*before[at : at + 1], *before]:
        shown = _masked(old["config"])
        if shown.get(SECRET) == given[SECRET] and given.get("url", shown["url"]) == shown["url"]:
            return old["config"]
    raise BadChannel(f"channels[{at}].config.{SECRET} is masked: send it whole.")


def _url(where: str, given: Mapping[str, Any], *names: str, default: str = "") -> str:
    url = next((given[name] for name in names if given.get(name)), default)
    if not isinstance(url, str) or not url:
        raise BadChannel(f"{where}.{names[0]} is required: the URL to POST to.")
    try:
        target(url)
    except OutboundRefused as refusal:
        raise BadChannel(f"{where}.{names[0]}: {refusal.message}") from None
    return url


def _webhook(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": _url(where, given, "url")}


def _slack(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    return {"url": _url(where, given, "url", "webhook_url")}


def _pagerduty(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    key = given.get(SECRET)
    if not isinstance(key, str) or not key.strip() or len(key) > MAX_TEXT_LENGTH:
        raise BadChannel(f"{where}.{SECRET} is required: the integration key of a PagerDuty service (Events API v2).")
    return {SECRET: key.strip(), "url": _url(where, given, "url", default=PAGERDUTY)}


def _email(where: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if not settings.EMAIL_HOST:
        raise BadChannel(f"{where}: {mail.NOT_SET_UP}")
    try:
        return {
            "to": mail.recipients(next((given[name] for name in ("to", "recipients", "email") if name in given), None))
        }
    except ValueError as fault:
        raise BadChannel(f"{where}.to: {fault}") from None


CHECKS = {"webhook": _webhook, "slack": _slack, "pagerduty": _pagerduty, "email": _email}
