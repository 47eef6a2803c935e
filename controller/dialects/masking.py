"""For serializers of rows that have secret fields: masked for most, and kept when written back."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict

from controller.base.masking import masked
from controller.base.secret_fields import may_read_secrets, secret_fields


class MasksSecrets:
    """Shows secret fields to those alone who have the permission that the model names.

    For everybody else a key is ``null`` and settings inside JSON are masked. Both may be sent
    back: ``null`` is left out here, and masks are replaced by the row's own check.
    """

    instance: Any
    root: Any
    parent: Any
    source: Any

    def to_representation(self, instance: Any) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)  # type: ignore[misc]
        if not self._is_open(instance):
            fields = secret_fields(instance)
            shown |= dict.fromkeys(shown.keys() & fields.whole)
            shown |= {name: masked(shown[name]) for name in shown.keys() & fields.inside}
        return shown

    def to_internal_value(self, data: Any) -> Any:
        row = self._stored()
        plain = isinstance(data, Mapping) and not isinstance(data, QueryDict)
        if row is not None and plain and not self._is_open(row):
            hidden = secret_fields(row).names
            data = {k: v for k, v in data.items() if v is not None or k not in hidden}
        return super().to_internal_value(data)  # type: ignore[misc]

    def _is_open(self, row: Any) -> bool:
        return may_read_secrets(self.root._context["request"].user, row)

    def _stored(self) -> Any:
        """Return the row that is written to: this serializer's, or the parent's of this name."""
        if self.instance is not None or self.parent is None:
            return self.instance
        return getattr(getattr(self.parent, "instance", None), self.source, None)
