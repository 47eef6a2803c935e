"""Names that are marked nowhere, ready for translation.

They follow from the names of attributes, or engines keep them in tables.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from django.contrib.admin import site
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy, override

# Options of models whose plural has been made translatable.
TRANSLATED: set[Any] = set()
# Names for people where the name of an attribute reads badly.
BETTER: Mapping[str, str] = {
    "gateway ip": "gateway address",
    "is active": "active",
    "is approved": "approved",
    "is deactivated": "deactivated",
    "is relay": "relay",
    "meta data": "metadata",
    "sha256": "SHA-256",
    "timezone": "time zone",
}
# Functions that return the titles in the tables of an engine; admin rooms add theirs.
TITLES: list[Callable[[], Iterable[str]]] = []


def register_titles(titles: Callable[[], Iterable[str]]) -> None:
    TITLES.append(titles)


def titles_of_engines() -> list[str]:
    return sorted({title for titles in TITLES for title in titles() if title})


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
        names = [(part, kind, better(getattr(part, kind))) for part, kind in named_parts()]
    for part, attribute, name in names:
        setattr(part, attribute, gettext_lazy(name))
        if attribute == "verbose_name_plural":
            TRANSLATED.add(part)


def better(name: object) -> str:
    return BETTER.get(str(name), str(name))


def derived_names() -> list[str]:
    """Return the names, to be collected into the catalogs."""
    return sorted({better(getattr(part, attribute)) for part, attribute in named_parts()})
