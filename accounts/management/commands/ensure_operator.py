"""manage.py ensure_operator: the platform operator that DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD name."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.members import check_password, ensure_operator
from config.env import env_text
from config.errors import Invalid


class Command(BaseCommand):
    """Makes the operator when there is none with that address; may be run at every start."""

    help = "Make the platform operator of DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD, unless there is one."

    def handle(self, *args: Any, **options: Any) -> None:
        """Say what was done."""
        email, password = env_text("DJANGO_SUPERUSER_EMAIL"), env_text("DJANGO_SUPERUSER_PASSWORD")
        if not email and not password:
            self.stdout.write("No operator named: DJANGO_SUPERUSER_EMAIL and DJANGO_SUPERUSER_PASSWORD are not set.")
            return
        if "@" not in email or not password:
            raise CommandError("Set both DJANGO_SUPERUSER_EMAIL (an e-mail address) and DJANGO_SUPERUSER_PASSWORD.")
        try:
            check_password(password)
        except Invalid as fault:
            raise CommandError(f"DJANGO_SUPERUSER_PASSWORD: {' '.join(fault.context['errors']['password'])}") from None
        user, created = ensure_operator(email, password)
        self.stdout.write(f"Operator {user.email} {'made' if created else 'is there'}.")
