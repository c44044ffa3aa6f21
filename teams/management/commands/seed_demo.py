"""manage.py seed_demo: the demo's tenant, user, agents, workflow, table and team. Running it again changes nothing."""

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.login.credentials import CHANGED_PASSWORD, stored_password
from accounts.models import Membership, Role, Tenant, User
from agents.catalog.demo_agents import AGENTS, ROOMS
from agents.catalog.demo_workflow import TRIAGE_WORKFLOW
from agents.models import Agent
from config.env import env_text
from memory.datastore.tables import list_tables, load_table
from orchestration.models import Workflow
from orchestration.workflows.definition.workflow_versions import create_workflow
from teams.demo import ROUND
from teams.models import Team

TENANT = "demo"
EMAIL = "demo@example.com"
CREDENTIALS = "demo_credentials.json"


class Command(BaseCommand):
    """Makes what does not exist yet, and changes nothing that does."""

    help = (
        "Make the demo tenant: user, agents, the workflow “Ticket Triage”, the table rooms, the team “Morning Round”."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """--json."""
        parser.add_argument("--json", action="store_true", help="Print {email, password} and nothing else.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Seed, and print the credentials."""
        password = env_text("DEMO_PASSWORD") or stored_password(settings.DATA_DIR / CREDENTIALS, EMAIL)
        with transaction.atomic():
            user = seed(password)
        credentials = {"email": EMAIL, "password": password if user.check_password(password) else CHANGED_PASSWORD}
        if options["json"]:
            self.stdout.write(json.dumps(credentials))
        else:
            self.stdout.write(
                f"The tenant {TENANT!r} is ready. Log in as {credentials['email']} with {credentials['password']}"
            )


def seed(password: str) -> User:
    """The demo's user, after everything else has been made as well."""
    tenant, _ = Tenant.objects.get_or_create(pk=TENANT, defaults={"name": "Demo"})
    user = User.objects.filter(email=EMAIL).first()
    if user is None:
        user = User.objects.create_user(EMAIL, password, name="Demo")
    elif env_text("DEMO_PASSWORD") and not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    Membership.all_tenants.get_or_create(user=user, defaults={"tenant": tenant, "role": Role.ADMIN})
    for agent in AGENTS:
        Agent.all_tenants.get_or_create(tenant=tenant, key=agent["key"], defaults=agent)
    if not list_tables(tenant.pk):
        load_table(tenant.pk, "rooms", ROOMS, "create", from_text=False)
    if not Workflow.objects.for_tenant(tenant).filter(name=TRIAGE_WORKFLOW["name"]).exists():
        create_workflow(tenant.pk, TRIAGE_WORKFLOW, user.pk)
    if not Team.objects.for_tenant(tenant).filter(name=ROUND["name"]).exists():
        Team.all_tenants.create(tenant=tenant, created_by=user.pk, **ROUND)
    return user
