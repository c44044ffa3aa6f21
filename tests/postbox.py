"""A mail server on loopback that keeps what arrives."""

from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.product import free_port


class Postbox:
    """The letters that have arrived; the next `refused` are put off."""

    def __init__(self) -> None:
        self.refused = 0
        self.letters: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Take a letter."""
        if self.refused:
            self.refused -= 1
            return "451 Not now"
        self.letters.append(envelope)
        return "250 Taken"

    def read(self) -> list[Message]:
        """The letters, parsed."""
        return [message_from_bytes(one.content) for one in self.letters if isinstance(one.content, bytes)]


@contextmanager
def open_postbox(settings: Any) -> Iterator[Postbox]:
    """A postbox that the product's mail goes to."""
    box = Postbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port())
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.hostname, server.port
    settings.EMAIL_USE_TLS, settings.DEFAULT_FROM_EMAIL = False, "regente@example.com"
    try:
        yield box
    finally:
        server.stop()
