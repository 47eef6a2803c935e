"""Which fields of a model are secret, and which permission opens them: one rule for every way out.

A model says so in ``secret_fields``. Serializers, admin pages, archives and diffs ask here, and
:meth:`controller.base.models.Dated.checked` keeps what is stored where a mask comes back.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.base.masking import MASK, holds_mask, masked, unmasked


@dataclass(frozen=True)
class SecretFields:
    """The secret fields of a model.

    ``permission`` opens them (``device:secret``); without one nobody reads them again.
    """

    permission: str = ""
    whole: frozenset[str] = frozenset()
    """Secret as they are: keys, passwords, archives."""
    inside: frozenset[str] = frozenset()
    """JSON that is readable but for the settings whose names say that they are secret."""

    @property
    def names(self) -> frozenset[str]:
        return self.whole | self.inside


NOTHING = SecretFields()


def secret_fields(model: Any) -> SecretFields:
    """Return what is secret in rows of this model (or in this row)."""
    found: SecretFields = getattr(model, "secret_fields", NOTHING)
    return found


def may_read_secrets(user: Any, row: Any) -> bool:
    """Return whether this user may read what is secret in this row."""
    permission = secret_fields(row).permission
    has_perm_on = getattr(user, "has_perm_on", None)
    return bool(permission and has_perm_on and has_perm_on(permission, row))


def shown_value(model: Any, name: str, value: Any, *, is_open: bool) -> Any:
    """Return a field's value for somebody who may read its secrets, or may not."""
    fields = secret_fields(model)
    if is_open or name not in fields.names:
        return value
    return masked(value) if name in fields.inside else (MASK if value else value)


def shown_values(model: Any, values: Mapping[str, Any], *, is_open: bool) -> dict[str, Any]:
    return {
        name: shown_value(model, name, value, is_open=is_open) for name, value in values.items()
    }


def keep_masked(row: Any) -> None:
    """Put what is stored wherever a mask was written back; :class:`Refused` if nothing is.

    A client that may not read secrets can change the rest of a row this way.
    """
    names = [name for name in secret_fields(row).names if holds_mask(row.__dict__.get(name))]
    if not names:
        return
    stored = type(row)._base_manager.filter(pk=row.pk).only(*names).first()
    for name in names:
        value = unmasked(getattr(row, name), getattr(stored, name, None))
        if holds_mask(value):
            raise Refused(
                {
                    name: [
                        gettext("%(mask)s stands for a secret that is stored, and none is.")
                        % {"mask": MASK}
                    ]
                }
            )
        setattr(row, name, value)
