"""Print how long rows are kept, for docs/retention.md."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

HEAD = """# How long rows are kept

Made by `python manage.py retention_reference`. Rows of other tables stay until somebody deletes
them. Once an hour beat has the oldest rows deleted, 500 at a time. The settings are in
[settings](settings.md); 0 days is for ever.

"""


def reference() -> str:
    table: str = import_string("controller.retention.table")()
    return HEAD + table


class Command(BaseCommand):
    help = "Prints how long rows of each table are kept, as a page of the documentation."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(reference(), ending="")
