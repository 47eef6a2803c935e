"""Model fields that keep one canonical text of a value, however it is assigned or searched."""

from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet, ValidationError
from django.db import models
from django.db.models.lookups import Exact, In
from django.db.models.query_utils import DeferredAttribute

from controller.base import values

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
    CharField = models.CharField[Any, Any]
    GenericIPAddressField = models.GenericIPAddressField[Any, Any]
else:
    Field, CharField = models.Field, models.CharField
    GenericIPAddressField = models.GenericIPAddressField


class Canonical(DeferredAttribute):
    """Makes an assigned text canonical at once; one that is invalid stays for the validation."""

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.field.attname] = self.field.canonical(value)  # type: ignore[attr-defined]


class CanonicalField(Field):
    descriptor_class = Canonical

    @staticmethod
    def parse(text: str) -> str:
        """Return the canonical text; raise ValueError for what is none of this kind."""
        raise NotImplementedError

    def canonical(self, value: Any) -> Any:
        """Return the canonical text of a value, or the value itself if it is not of this kind."""
        if not isinstance(value, str) or not value:
            return value
        try:
            return type(self).parse(value)
        except ValueError:
            return value

    def get_prep_value(self, value: Any) -> Any:
        return self.canonical(super().get_prep_value(value))

    def clean(self, value: Any, model_instance: Any) -> Any:
        if isinstance(value, str) and value:
            try:
                value = type(self).parse(value)
            except ValueError as error:
                raise ValidationError(str(error)) from error
        return super().clean(value, model_instance)


def valid_mac_address(text: str) -> None:
    try:
        values.mac_address(text)
    except ValueError as error:
        raise ValidationError(str(error)) from error


class MacAddressField(CanonicalField, CharField):
    """A MAC address in any usual spelling, stored as ``00:16:3E:22:41:54``."""

    # Serializers take it over.
    default_validators = [valid_mac_address]

    @staticmethod
    def parse(text: str) -> str:
        return values.mac_address(text)


class HostField(CanonicalField, CharField):
    """A host name or address, without scheme, port and zone; names in their ASCII form."""

    @staticmethod
    def parse(text: str) -> str:
        return values.host(text)


class AddressField(CanonicalField, GenericIPAddressField):
    """An IP address in its shortest form. A zone is refused: nobody else could use it."""

    @staticmethod
    def parse(text: str) -> str:
        return values.ip(text)


def is_address(text: Any) -> bool:
    try:
        values.ip(str(text))
    except ValueError:
        return False
    return True


@models.GenericIPAddressField.register_lookup
class SameAddress(Exact):
    """Equality with a text; nothing equals a text that is not an address."""

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        if isinstance(self.rhs, str) and not is_address(self.rhs):
            raise EmptyResultSet
        return super().as_sql(compiler, connection)


@models.GenericIPAddressField.register_lookup
class OneOfAddresses(In):
    """Membership in a list of texts; those that are not addresses are passed over."""

    def get_prep_lookup(self) -> Any:
        if isinstance(self.rhs, list | tuple | set | frozenset):
            self.rhs = [one for one in self.rhs if is_address(one)]
        return super().get_prep_lookup()
