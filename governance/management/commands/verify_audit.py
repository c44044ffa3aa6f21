"""`manage.py verify_audit [TENANT …]`: follow the audit chains; the first broken link of each is named."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.tenancy.command_arguments import find_tenants
from config.values.plurals import quantity
from governance.audit import chain


class Command(BaseCommand):
    """Exits with 1 when a chain is broken, or a tenant is not there."""

    help = "Check the audit log: every sealed entry is as it was sealed, none is missing, none was moved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Which tenants."""
        parser.add_argument("tenants", nargs="*", metavar="TENANT", help="all of them when none is named")

    def handle(self, *args: Any, **options: Any) -> None:
        """One line per chain; keep the heads somewhere else, and a cut end shows too."""
        broken_count = 0
        for tenant in find_tenants(options["tenants"]):
            verdict = chain.verify(tenant.pk)
            broken_count += bool(verdict.fault)
            state = f"BROKEN: {verdict.fault}" if verdict.fault else "holds"
            waiting = f", {verdict.pending_count} not sealed yet" if verdict.pending_count else ""
            self.stdout.write(
                f"{tenant.pk}: {state}; {verdict.sealed_count} sealed{waiting}; head {verdict.head[:16] or '-'}"
            )
        if broken_count:
            raise CommandError(f"{quantity(broken_count, 'audit chain is', 'audit chains are')} broken.")
