"""manage.py create_api_key EMAIL: an API key for a user, printed once."""

import json
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.members import create_api_key
from accounts.models import KeyPermission, Membership
from config.http.fields import iso


class Command(BaseCommand):
    """Makes an API key."""

    help = "Make an API key for a user and print it; it cannot be payload again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="command line")
        parser.add_argument(
            "--permissions", nargs="+", choices=KeyPermission.values, default=[KeyPermission.READ.value]
        )
        parser.add_argument("--days", type=int, help="days until the key expires; never when left out")
        parser.add_argument("--json", action="store_true", help="print a JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        members = Membership.all_tenants.filter(user__email=options["email"].strip().lower(), user__is_active=True)
        member = members.first()
        if member is None:
            raise CommandError(f"No active user has the address {options['email']}.")
        if options["days"] is not None and not 1 <= options["days"] <= 36500:
            raise CommandError("--days must be between 1 and 36500.")
        expires_at = timezone.now() + timedelta(days=options["days"]) if options["days"] else None
        row, key = create_api_key(member, options["name"], options["permissions"], expires_at)
        payload = {"id": str(row.pk), "key": key, "permissions": row.permissions, "expires_at": iso(expires_at)}
        self.stdout.write(json.dumps(payload) if options["json"] else key)
