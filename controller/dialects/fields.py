"""Fields that serializers of every app share."""

from collections.abc import Mapping
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.fields import empty

from controller.base import values
from controller.dialects.parsers import UNHOLDABLE, texts, words


@extend_schema_field(OpenApiTypes.OBJECT)
class JSONObjectField(serializers.JSONField):
    """A JSON object; in a form the text of one, and an empty text is nothing that was sent."""

    default_error_messages = {
        "not_a_dict": 'Expected a dictionary of items but got type "{input_type}".'
    }

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        value = super().get_value(dictionary)
        return empty if getattr(value, "is_json_string", False) and not value.strip() else value

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not isinstance(value, dict):
            self.fail("not_a_dict", input_type=type(value).__name__)
        if getattr(data, "is_json_string", False):
            # The parser of JSON bodies has looked through those.
            for text in texts(value):
                if found := UNHOLDABLE.search(text):
                    raise serializers.ValidationError(ErrorDetail(words(found[0]), "invalid"))
        return value


@extend_schema_field({"type": ["string", "null"]})
class SecretCharField(serializers.CharField):
    """Null for those who may not read it; what comes back as null or empty stays as it is."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        if data is None or (data == "" and not self.allow_blank):
            raise serializers.SkipField
        empty_values: tuple[bool, Any] = super().validate_empty_values(data)
        return empty_values


class IpAddressField(serializers.IPAddressField):
    """An IP address in its shortest form; one with a zone is refused, never cut."""

    def to_internal_value(self, data: Any) -> Any:
        try:
            return values.ip(str(data))
        except ValueError as error:
            raise serializers.ValidationError(
                str(error) if "%" in str(data) else "Enter a valid IPv4 or IPv6 address."
            ) from error
