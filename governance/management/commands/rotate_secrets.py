"""`manage.py rotate_secrets`: seal every stored secret with the newest key of SECRETS_KEYS; older ones may go then."""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Model, QuerySet

from config.values.plurals import quantity
from governance import vault

AT_ONCE = 500


class Command(BaseCommand):
    """May be stopped and run again at any time; a secret that is changed meanwhile is left to its change."""

    help = "Seal all secrets with the newest key of SECRETS_KEYS; afterwards the older keys may be removed."

    def handle(self, *args: Any, **options: Any) -> None:
        """A line per table with its progress; fails when a secret cannot be opened with any key."""
        unreadable = 0
        for model in apps.get_models():
            if any(field.name == "sealed" for field in model._meta.fields):
                unreadable += self._rotate(model)
        if unreadable:
            raise CommandError(
                f"{quantity(unreadable, 'secret')} cannot be opened: keep the key that sealed them in SECRETS_KEYS (or "
                "the SECRET_KEY of that time), or have them entered anew."
            )

    def _rotate(self, model: type[Model]) -> int:
        """How many of the table's secrets no key opens."""
        manager = getattr(model, "all_tenants", None) or model._default_manager
        rows: QuerySet[Any] = manager.exclude(sealed="").order_by("pk")
        total, updated_count, progress, unreadable, last = rows.count(), 0, 0, 0, None
        while batch := list((rows if last is None else rows.filter(pk__gt=last)).values_list("pk", "sealed")[:AT_ONCE]):
            for pk, token in batch:
                try:
                    new_token = vault.reencrypt(token)
                except vault.SecretUnreadable:
                    unreadable += 1
                    self.stderr.write(f"{model._meta.verbose_name} {pk}: no key opens it")
                    continue
                if new_token != token:
                    updated_count += rows.filter(pk=pk, sealed=token).update(sealed=new_token)
            progress, last = progress + len(batch), batch[-1][0]
            self.stdout.write(f"{model._meta.verbose_name_plural}: {progress} of {total}")
        self.stdout.write(
            f"{model._meta.verbose_name_plural}: {quantity(total, 'secret')}, {updated_count} sealed anew"
        )
        return unreadable
