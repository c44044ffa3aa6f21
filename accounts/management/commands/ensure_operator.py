"""manage.py ensure_operator: the platform operator that DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD name."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email

from accounts.login.credentials import CHANGED_PASSWORD, stored_password
from accounts.members import check_password, ensure_operator
from accounts.models import User
from config.env import env_text
from config.errors import Invalid

EMAIL, PASSWORD = "DJANGO_SUPERUSER_EMAIL", "DJANGO_SUPERUSER_PASSWORD"
LOCAL_EMAIL = "admin@example.com"
CREDENTIALS = "operator_credentials.json"


class Command(BaseCommand):
    """Makes the operator when there is none with that address; may be run at every start."""

    help = "Make the platform operator of DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD, unless there is one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        local = f"Where none is named make {LOCAL_EMAIL}, its password kept in DATA_DIR; print {{email, password}}."
        parser.add_argument("--local", action="store_true", help=local)

    def handle(self, *args: Any, **options: Any) -> None:
        email, password = env_text(EMAIL), env_text(PASSWORD)
        if not email and not password:
            if options["local"]:
                self.stdout.write(json.dumps(_local_operator()))
                return
            self.stdout.write("No operator named: DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD are not set.")
            return
        _check(email, password)
        user, created = ensure_operator(email, password)
        if options["local"]:
            self.stdout.write(json.dumps({"email": user.email}))
            return
        self.stdout.write(f"Operator {user.email} {'made' if created else 'is there'}.")


def _check(email: str, password: str) -> None:
    """Refuse what no operator can be made of, by the variable's name and with the remedy."""
    for present, missing in ((EMAIL, PASSWORD), (PASSWORD, EMAIL)):
        if not env_text(missing):
            raise CommandError(f"{missing}: must be set when {present} is; set both, or neither.")
    try:
        validate_email(email)
    except ValidationError:
        raise CommandError(f"{EMAIL}: {email!r} is no e-mail address; use one such as operator@example.com.") from None
    try:
        check_password(password, User(email=email))
    except Invalid as error:
        reason = " ".join(error.context["errors"]["password"])
        remedy = "Use another of at least 8 characters; openssl rand -base64 18 makes one."
        raise CommandError(f"{PASSWORD}: {reason} {remedy}") from None


def _local_operator() -> dict[str, str]:
    """The operator of this machine, and the password as long as it is the one that was made here."""
    password = stored_password(settings.DATA_DIR / CREDENTIALS, LOCAL_EMAIL)
    user, _ = ensure_operator(LOCAL_EMAIL, password)
    return {"email": LOCAL_EMAIL, "password": password if user.check_password(password) else CHANGED_PASSWORD}
