"""Names of fields that follow from the names of their attributes, ready for translation.

What is written out in the code is marked there; these names stand nowhere.
"""

from collections.abc import Iterator
from typing import Any

from django.contrib.admin import site
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, override

# Options of models whose plural has been made translatable.
TRANSLATED: set[Any] = set()


def shown_models() -> set[type[Any]]:
    """Return the models of lists and forms of the admin."""
    models = set(site._registry)
    for model_admin in site._registry.values():
        models |= {inline.model for inline in model_admin.inlines if inline.model}
    return models


def named_parts() -> Iterator[tuple[Any, str]]:
    """Return pairs of a field, a model or an app, and the attribute with its untranslated name."""
    for model in sorted(shown_models(), key=lambda model: str(model._meta)):
        meta = model._meta
        parts: list[tuple[Any, str]] = [(field, "verbose_name") for field in meta.fields]
        parts += [(field, "verbose_name") for field in meta.many_to_many]
        parts += [(meta, "verbose_name"), (meta, "verbose_name_plural")]
        parts += [(meta.app_config, "verbose_name")]
        for part, attribute in parts:
            if not isinstance(getattr(part, attribute), Promise) or is_made_plural(
                part, attribute
            ):
                yield part, attribute


def is_made_plural(part: Any, attribute: str) -> bool:
    """Return whether Django made this plural of the name of a model, by an s."""
    attributes = getattr(part, "original_attrs", None)
    return (
        attribute == "verbose_name_plural"
        and attributes is not None
        and attribute not in attributes
        and part not in TRANSLATED
    )


def translate_derived_names() -> None:
    """Make the names lazy translations; called once, before the first page is shown."""
    # The first page may be for a person with another language: plurals are made of English names.
    with override(None):
        names = [(part, kind, str(getattr(part, kind))) for part, kind in named_parts()]
    for part, attribute, name in names:
        setattr(part, attribute, gettext_lazy(name))
        if attribute == "verbose_name_plural":
            TRANSLATED.add(part)


def derived_names() -> list[str]:
    """Return the names, to be collected into the catalogs."""
    return sorted({str(getattr(part, attribute)) for part, attribute in named_parts()})
