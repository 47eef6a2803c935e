"""Template loader that hides icons from screen readers.

An icon is the name of a glyph as text. Without ``aria-hidden`` a screen reader reads "router
Devices" for a link called "Devices".
"""

import re
from typing import Any

from django.template.loaders import filesystem
from django.template.utils import get_app_template_dirs

ICON = re.compile(
    r"<(span|i)(?=[^<>]*material-symbols-outlined)(?![^<>]*(?:aria-hidden|aria-label))"
)


class Loader(filesystem.Loader):
    """Load templates of the project and of apps, with ``aria-hidden`` on their icons."""

    def get_dirs(self) -> list[Any]:
        return [*super().get_dirs(), *get_app_template_dirs("templates")]

    def get_contents(self, origin: Any) -> str:
        return ICON.sub(r'<\1 aria-hidden="true"', super().get_contents(origin))
