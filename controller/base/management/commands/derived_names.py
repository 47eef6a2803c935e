"""Print the derived names of fields as Python that makemessages understands."""

from typing import Any

from django.core.management.base import BaseCommand

from controller.base.derived_names import derived_names


class Command(BaseCommand):
    help = "Prints the names of fields that are written nowhere, for script/translate."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for name in derived_names():
            self.stdout.write(f"gettext_noop({name!r})")
