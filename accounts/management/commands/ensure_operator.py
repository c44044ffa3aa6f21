"""manage.py ensure_operator: the platform operator that DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD name."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from accounts.credentials import CHANGED, kept_password
from accounts.members import check_password, ensure_operator
from config.env import env_text
from config.errors import Invalid

LOCAL_EMAIL = "admin@example.com"
CREDENTIALS = "operator_credentials.json"


class Command(BaseCommand):
    """Makes the operator when there is none with that address; may be run at every start."""

    help = "Make the platform operator of DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD, unless there is one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """What to do where none is named."""
        local = f"Where none is named make {LOCAL_EMAIL}, its password kept in DATA_DIR; print {{email, password}}."
        parser.add_argument("--local", action="store_true", help=local)

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done."""
        email, password = env_text("DJANGO_SUPERUSER_EMAIL"), env_text("DJANGO_SUPERUSER_PASSWORD")
        if not email and not password:
            if options["local"]:
                self.stdout.write(json.dumps(_local_operator()))
                return
            self.stdout.write("No operator named: DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD are not set.")
            return
        if "@" not in email or not password:
            raise CommandError("Set both DJANGO_SUPERUSER_EMAIL (an e-mail address) and DJANGO_SUPERUSER_PASSWORD.")
        try:
            check_password(password)
        except Invalid as fault:
            raise CommandError(f"DJANGO_SUPERUSER_PASSWORD: {' '.join(fault.context['errors']['password'])}") from None
        user, created = ensure_operator(email, password)
        if options["local"]:
            self.stdout.write(json.dumps({"email": user.email}))
            return
        self.stdout.write(f"Operator {user.email} {'made' if created else 'is there'}.")


def _local_operator() -> dict[str, str]:
    """The operator of this machine, and the password as long as it is the one that was made here."""
    password = kept_password(settings.DATA_DIR / CREDENTIALS, LOCAL_EMAIL)
    user, _ = ensure_operator(LOCAL_EMAIL, password)
    return {"email": LOCAL_EMAIL, "password": password if user.check_password(password) else CHANGED}
