"""`manage.py verify_audit [TENANT …]`: follow the audit chains; the first broken link of each is named."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.tenancy.command_arguments import find_tenants
from config.values.plurals import quantity
from governance.audit import audit_log


class Command(BaseCommand):
    """Exits with 1 when a chain is broken, or a tenant is not there."""

    help = "Check the audit log: every sealed entry is as it was sealed, none is missing, none was moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which tenants."""
        parser.add_argument("tenants", nargs="*", metavar="TENANT", help="all of them when none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per chain; keep the heads somewhere else, and a cut end shows too."""
        broken = 0
        for tenant in find_tenants(options["tenants"]):
            found = audit_log.verify(tenant.pk)
            broken += bool(found.broken)
            state = f"BROKEN: {found.broken}" if found.broken else "holds"
            waiting = f", {found.unsealed} not sealed yet" if found.unsealed else ""
            self.stdout.write(f"{tenant.pk}: {state}; {found.sealed} sealed{waiting}; head {found.head[:16] or '-'}")
        if broken:
            raise CommandError(f"{quantity(broken, 'audit chain is', 'audit chains are')} broken.")
