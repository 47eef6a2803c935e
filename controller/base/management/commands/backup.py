"""Write all rows and files of the portal to one backup file."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from controller.base.backup import back_up


class Command(BaseCommand):
    help = "Writes everything the portal knows, rows and files, to one file."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="such as /backup/muster.zip")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = back_up(options["file"])
        except OSError as error:
            raise CommandError(f"{options['file']} cannot be written: {error}") from error
        rows = sum(manifest.rows.values())
        self.stdout.write(f"{options['file']}: {rows} rows, {manifest.files} files.")
        self.stdout.write("Keep MUSTER_ENCRYPTION_KEYS elsewhere: they are not in it.")
