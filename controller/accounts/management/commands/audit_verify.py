"""Verify the audit chains; fail if any is broken."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from controller.accounts.models import Organization
from controller.accounts.rules import audit


class Command(BaseCommand):
    help = (
        "Walks the chain of each organization's audit. Keep the last lines somewhere else: a seal "
        "that was printed once must be found again later, under the same number."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--since",
            action="append",
            default=[],
            metavar="NAME:NUMBER:SEAL",
            help="A head that was printed or logged before, and must be found again; may be "
            "given several times.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = {str(one.pk): one.name for one in Organization.objects.all()}
        audit.seal_entries()
        if missing := [one for one in options["since"] if not audit.is_found(one)]:
            for one in missing:
                self.stderr.write(
                    f"{one} is not in the audit: entries were cut off or replaced"
                )
            raise CommandError("The audit does not hold what it held before.")
        broken = False
        for chain in audit.verify_chains():
            name = names.get(chain.name, chain.name)
            for problem in chain.problems:
                broken = True
                self.stderr.write(f"{name}: {problem}")
            if not chain.problems:
                self.stdout.write(
                    f"{name}: {chain.entries} entries, head {chain.name}:{chain.entries}:{chain.seal}"
                )
        if broken:
            raise CommandError(
                "The audit was tampered with, or MUSTER_AUDIT_KEY is not the key it was sealed with."
            )
