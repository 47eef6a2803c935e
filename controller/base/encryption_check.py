"""Check at start that stored secrets can be decrypted with the configured keys."""

import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections

from controller.base.secrets import EncryptedBytesField, EncryptedTextField

SAMPLES = 3
WRONG = (
    "No stored secret can be decrypted with MUSTER_ENCRYPTION_KEYS: the keys belong to another "
    "portal, or the former key is missing at the end of the list."
)

log = logging.getLogger(__name__)


def check_keys() -> None:
    """Raise ImproperlyConfigured if the keys fit no stored secret; log it if they miss some.

    Nothing is checked while the database is away or has no tables yet. The check runs in a
    thread of its own, so that it can be called where an event loop runs.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="keys") as thread:
        readable, unreadable = thread.submit(_look).result()
    if unreadable and not readable:
        raise ImproperlyConfigured(WRONG)
    if unreadable:
        log.error("Some secrets cannot be decrypted: %s", ", ".join(sorted(unreadable)))


def _look() -> tuple[set[str], set[str]]:
    readable, unreadable = set[str](), set[str]()
    try:
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, EncryptedBytesField | EncryptedTextField):
                    name = f"{model._meta.label}.{field.name}"
                    try:
                        if _is_stored(model, field.name):
                            readable.add(name)
                    except ImproperlyConfigured:
                        unreadable.add(name)
    except DatabaseError as error:
        log.warning("The keys are not checked, the database does not answer: %s", error)
    finally:
        connections.close_all()
    return readable, unreadable


def _is_stored(model: Any, name: str) -> bool:
    """Return whether a row has a value in this field; decrypts it."""
    rows = model._base_manager.filter(**{f"{name}__isnull": False})
    return any(rows.values_list(name, flat=True)[:SAMPLES])
