"""Titles and sentences of features in the language of who reads them."""

from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.derived_names import register_titles
from networks.gateways.engine.features import Feature
from networks.gateways.engine.features.feature_titles import FEATURES
from networks.gateways.engine.features.titles import AREAS

register_titles(lambda: [text for pair in FEATURES.values() for text in pair])
register_titles(lambda: [*AREAS.values()])

PHRASES = {
    "create": _("Add %(title)s"),
    "update": _("Change %(title)s"),
    "delete": _("Delete %(title)s"),
}


def translated(text: str) -> str:
    """Return a text of the tables in the reader's language; an empty one stays empty."""
    return gettext(text) if text else ""


def shown_phrase(feature: Feature, operation: str) -> str:
    """Return an operation for people, as in "Add firewall alias"."""
    title = translated(feature.title)
    if feature.action or operation not in PHRASES:
        return capfirst(title)
    return str(PHRASES[operation]) % {"title": title}
