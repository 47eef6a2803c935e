from typing import Any

from django.contrib.auth import authenticate
from rest_framework import serializers


class SignIn(serializers.Serializer[Any]):
    username = serializers.CharField(write_only=True, help_text="User name or e-mail.")
    password = serializers.CharField(
        write_only=True, trim_whitespace=False, style={"input_type": "password"}
    )
    token = serializers.CharField(read_only=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = authenticate(self.context.get("request"), **attrs)
        if user is None:
            raise serializers.ValidationError("Unable to log in with provided credentials.")
        return {"user": user}
