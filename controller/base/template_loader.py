"""Template loader that hides icons from screen readers, and names buttons that are only icons.

An icon is the name of a glyph as text. Without ``aria-hidden`` a screen reader reads "router
Devices" for a link called "Devices".
"""

import re
from collections.abc import Mapping
from typing import Any

from django.template.loaders import filesystem
from django.template.utils import get_app_template_dirs

ICON = re.compile(
    r"<(span|i)(?=[^<>]*material-symbols-outlined)(?![^<>]*(?:aria-hidden|aria-label))"
)
# Names of unfold's buttons and links without text, by the attribute that each is found by.
NAMES: Mapping[str, str] = {
    'x-on:click="openTabsDropdown = !openTabsDropdown"': "More tabs",
    'x-on:click="openRelatedWidgetWrapper = !openRelatedWidgetWrapper"': "Related object",
    'id="searchbar-submit"': "Search",
    """a href="{% url "admin:index" %}"{% endif %}""": "Dashboard",
}


def with_name(attribute: str, name: str) -> str:
    """Return the attribute beside the translated name, for which a template loads nothing."""
    named = f"""aria-label="{{{{ _('{name}') }}}}\""""
    if attribute.endswith("{% endif %}"):
        return attribute.replace("{% endif %}", f" {named}{{% endif %}}")
    return f"{named} {attribute}"


class Loader(filesystem.Loader):
    """Load templates of the project and of apps, with hidden icons and names for buttons."""

    def get_dirs(self) -> list[Any]:
        return [*super().get_dirs(), *get_app_template_dirs("templates")]

    def get_contents(self, origin: Any) -> str:
        text = ICON.sub(r'<\1 aria-hidden="true"', super().get_contents(origin))
        for attribute, name in NAMES.items():
            text = text.replace(attribute, with_name(attribute, name))
        return text
