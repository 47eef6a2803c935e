"""Verify the audit chains; fail if any is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from controller.accounts.models import Organization
from controller.accounts.rules import audit


class Command(BaseCommand):
    help = (
        "Walks the chain of each organization's audit. Keep the last lines somewhere else: a seal "
        "that was printed once must be found again later, under the same number."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        names = {str(one.pk): one.name for one in Organization.objects.all()}
        audit.seal_entries()
        broken = False
        for chain in audit.verify_chains():
            name = names.get(chain.name, chain.name)
            for problem in chain.problems:
                broken = True
                self.stderr.write(f"{name}: {problem}")
            if not chain.problems:
                self.stdout.write(f"{name}: {chain.entries} entries, seal {chain.seal[:16]}")
        if broken:
            raise CommandError(
                "The audit was tampered with, or MUSTER_AUDIT_KEY is not the key it was sealed with."
            )
