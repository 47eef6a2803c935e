"""Print derived names and the titles of engines as Python that makemessages understands."""

from typing import Any

from django.core.management.base import BaseCommand

from controller.base.derived_names import derived_names, titles_of_engines


class Command(BaseCommand):
    help = "Prints names that are marked nowhere, for script/translate."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        for name in [*derived_names(), *titles_of_engines()]:
            self.stdout.write(f"gettext_noop({name!r})")
