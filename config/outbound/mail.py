"""Mail, through the operator's SMTP server (EMAIL_HOST)."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, get_connection
from django.core.validators import validate_email

MAX_RECIPIENTS = 20
NOT_SET_UP = "No mail can be sent from here until the operator sets EMAIL_HOST."


def recipients(value: object) -> list[str]:
    """The addresses of a text or an array of texts; ValueError says what is wrong with them."""
    addresses = [value] if isinstance(value, str) and value else value
    if not isinstance(addresses, list) or not 1 <= len(addresses) <= MAX_RECIPIENTS:
        raise ValueError(f"is required: an e-mail address, or an array of at most {MAX_RECIPIENTS}.")
    for address in addresses:
        try:
            validate_email(address if isinstance(address, str) else "")
        except ValidationError:
            raise ValueError(f"{str(address)[:100]!r} is no e-mail address.") from None
    return addresses


def header_line(subject: str) -> str:
    """The subject on one line, as a header requires."""
    return " ".join(subject.split())


def canonical_address(address: str) -> str:
    """The address with its domain in lower case and in ASCII; what has no such domain stays as it is."""
    local, at, domain = address.rpartition("@")
    try:
        return f"{local}{at}{domain.encode('idna').decode().lower()}"
    except UnicodeError:
        return address


def send(subject: str, text: str, to: list[str], id: str) -> None:
    """Send a message by SMTP, which blocks; OSError when the server does not accept it. `id` becomes its Message-ID."""
    connection = get_connection(timeout=settings.EMAIL_TIMEOUT)
    headers = {"Message-ID": f"<{id}@regente.invalid>"}
    sender, line = settings.DEFAULT_FROM_EMAIL, header_line(subject)
    EmailMessage(line, text, sender, to, headers=headers, connection=connection).send()
