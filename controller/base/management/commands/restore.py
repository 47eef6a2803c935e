"""Restore a backup into an empty database and media folder."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from controller.base.backup import restore
from controller.base.errors import Refused


class Command(BaseCommand):
    help = "Fills an empty database, and the folder of files, from a backup."
    # The tables may not exist yet.
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="what manage.py backup wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        def prepare() -> None:
            call_command("migrate", verbosity=0, interactive=False)

        try:
            manifest = restore(options["file"], prepare=prepare)
        except Refused as error:
            raise CommandError(str(error)) from error
        rows = sum(manifest.rows.values())
        self.stdout.write(
            f"Restored {rows} rows and {manifest.files} files of {manifest.made}."
        )
