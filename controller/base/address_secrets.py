"""Secrets that are sent to an address do not follow when the address changes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db.models import NOT_PROVIDED
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.masking import holds_mask

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class AddressSecrets:
    """Which fields of a model say where something is, and which secrets are sent there."""

    address: tuple[str, ...]
    secrets: tuple[str, ...]


def drop_moved_secrets(row: Any, sent: Mapping[str, Any]) -> bool:
    """Clear the secrets of a row whose address is no longer the stored one.

    Those that were sent along stay. Return whether the address has changed. Raises Refused under
    a secret that the row cannot do without.
    """
    bound: AddressSecrets = row.address_secrets
    stored = type(row)._base_manager.filter(pk=row.pk).values(*bound.address).first()
    if stored is None or all(
        destination(stored[name]) == destination(getattr(row, name)) for name in bound.address
    ):
        return False
    for name in bound.secrets:
        if not sent.get(name) or holds_mask(sent[name]):
            _clear(row, name)
    return True


def destination(value: Any) -> Any:
    """Return the part of a value that says where it leads: of a URL its scheme, host and port."""
    if not isinstance(value, str) or "://" not in value:
        return value or ""
    parts = urlsplit(value)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def _clear(row: Any, name: str) -> None:
    field = row._meta.get_field(name)
    if field.default is not NOT_PROVIDED:
        setattr(row, name, field.get_default())
    elif field.blank:
        setattr(row, name, None if field.null else "")
    else:
        raise Refused(
            {name: [gettext("The address has changed: send this again for the new one.")]}
        )
