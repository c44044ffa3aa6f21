"""mail.send: a letter through the operator's mail server; in a draft it is staged until the draft is applied."""

from functools import partial

from django.conf import settings

from agents.errors import ToolExecutionError
from agents.tools.canonical import canonical
from agents.tools.registry import Staging, ToolCall, tool
from config.outbound import mail
from config.values.json_types import JsonObject
from orchestration.runs.draft_effects import StagedEffect

ADDRESS = {"type": "string", "minLength": 3, "maxLength": 320}
SCHEMA = {
    "type": "object",
    "properties": {
        "to": {"type": "array", "items": ADDRESS, "minItems": 1, "maxItems": mail.MAX_RECIPIENTS},
        "subject": {"type": "string", "minLength": 1, "maxLength": 998},
        "body": {"type": "string", "maxLength": 100_000, "description": "Plain text."},
    },
    "required": ["to", "subject", "body"],
    "additionalProperties": False,
}


def _subject(subject: str) -> str:
    """The subject as the letter has it."""
    line = mail.header_line(subject)
    if not line:
        raise ValueError("Must not be blank.")
    return line


def _addresses(to: list[str]) -> list[str]:
    """The addresses with their domains as mail servers know them."""
    return [mail.canonical_address(address) for address in to]


async def _stage(call: ToolCall) -> StagedEffect:
    return StagedEffect("mail", ", ".join(_to(call)), None, call.input)


@tool(
    "mail.send",
    "Send Mail",
    "Sends a plain-text e-mail.",
    SCHEMA,
    risk_level="high",
    side_effects=("send_email",),
    idempotent=False,
    canonical=canonical(to=_addresses, subject=_subject),
    staging=Staging(_stage),
)
async def send_mail(call: ToolCall) -> JsonObject:
    """{sent: true, recipients, message_id}."""
    to, id = _to(call), call.effect_id.hex
    try:
        await call.in_thread(partial(mail.send, call.input["subject"], call.input["body"], to, id))
    except OSError as fault:  # all of smtplib's faults are
        raise ToolExecutionError(f"The mail server did not take the letter: {type(fault).__name__}.") from None
    return {"sent": True, "recipients": len(to), "message_id": f"<{id}@regente.invalid>"}


def _to(call: ToolCall) -> list[str]:
    if not settings.EMAIL_HOST:
        raise ToolExecutionError(mail.NOT_SET_UP)
    try:
        return mail.recipients(call.input["to"])
    except ValueError as fault:
        raise ToolExecutionError(f"to: {fault}") from None
