from typing import Any

from rest_framework import serializers

from controller.accounts.rules import by_password
from controller.base.errors import NotSignedIn


class SignIn(serializers.Serializer[Any]):
    username = serializers.CharField(write_only=True, help_text="User name or e-mail.")
    password = serializers.CharField(
        write_only=True, trim_whitespace=False, style={"input_type": "password"}
    )
    token = serializers.CharField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            return {"user": by_password(attrs["username"], attrs["password"])}
        except NotSignedIn as error:
            raise serializers.ValidationError(
                "Unable to log in with provided credentials."
            ) from error
