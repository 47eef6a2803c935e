"""Template loader that hides icons from screen readers, and names buttons that are only icons.

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
# Attributes of unfold's buttons and links without text: with the name of each.
NAMELESS = {
    'x-on:click="openTabsDropdown = !openTabsDropdown"': (
        'aria-label="More tabs" x-on:click="openTabsDropdown = !openTabsDropdown"'
    ),
    'x-on:click="openRelatedWidgetWrapper = !openRelatedWidgetWrapper"': (
        'aria-label="Related object" '
        'x-on:click="openRelatedWidgetWrapper = !openRelatedWidgetWrapper"'
    ),
    'id="searchbar-submit"': 'id="searchbar-submit" aria-label="Search"',
    "x-on:click='showActions = !showActions'": (
        "aria-label='Actions' x-on:click='showActions = !showActions'"
    ),
    """a href="{% url "admin:index" %}"{% endif %}""": (
        """a href="{% url "admin:index" %}" aria-label="Dashboard"{% endif %}"""
    ),
}


class Loader(filesystem.Loader):
    """Load templates of the project and of apps, with hidden icons and names for buttons."""

    def get_dirs(self) -> list[Any]:
        return [*super().get_dirs(), *get_app_template_dirs("templates")]

    def get_contents(self, origin: Any) -> str:
        text = ICON.sub(r'<\1 aria-hidden="true"', super().get_contents(origin))
        for given, named in NAMELESS.items():
            text = text.replace(given, named)
        return text
