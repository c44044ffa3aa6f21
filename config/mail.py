"""Mail, through the operator's SMTP server (EMAIL_HOST)."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

MAX_RECIPIENTS = 20
NOT_SET_UP = "No mail can be sent from here until the operator sets EMAIL_HOST."


def recipients(value: object) -> list[str]:
    """The addresses of a text or an array of texts; ValueError says what is wrong with them."""
    found = [value] if isinstance(value, str) and value else value
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_RECIPIENTS:
        raise ValueError(f"is required: an e-mail address, or an array of at most {MAX_RECIPIENTS}.")
    for address in found:
        try:
            validate_email(address if isinstance(address, str) else "")
        except ValidationError:
            raise ValueError(f"{str(address)[:100]!r} is no e-mail address.") from None
    return found


def one_line(subject: str) -> str:
    """The subject as a letter's header can have it."""
    return " ".join(subject.split())


def canonical_address(address: str) -> str:
    """The address with its domain in lower case and in ASCII; what has no such domain stays as it is."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode().lower()}"
    except UnicodeError:
        return address


def send(subject: str, text: str, to: list[str], id: str) -> None:
    """Hand a letter to the server, which blocks; OSError when it does not take it. `id` names the letter for good."""
    connection = get_connection(timeout=settings.EMAIL_TIMEOUT)
    headers = {"Message-ID": f"<{id}@regente.invalid>"}
    sender, line = settings.DEFAULT_FROM_EMAIL, one_line(subject)
    EmailMessage(line, text, sender, to, headers=headers, connection=connection).send()
