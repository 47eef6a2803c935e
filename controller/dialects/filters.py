"""Filters that no value breaks: what the database cannot hold is told as a bad value."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django_filters import fields
from django_filters import rest_framework as filters

# Of a 64-bit column.
LARGEST = 2**63 - 1


class MomentField(fields.IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        try:
            found: datetime | None = super().to_python(value)
            # At the ends of the calendar, a moment may have no date in UTC.
            return found.astimezone(UTC) if found else None
        except (OverflowError, ValueError) as error:
            raise ValidationError(
                "Enter a date and time between the years 1 and 9999."
            ) from error


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


class WholeNumberFilter(filters.NumberFilter):
    """A number that fits into a column of the database."""

    def filter(self, qs: Any, value: Any) -> Any:
        if isinstance(value, int | Decimal) and not -LARGEST <= value <= LARGEST:
            return qs.none()
        return super().filter(qs, value)
