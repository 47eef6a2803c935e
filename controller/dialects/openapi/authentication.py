"""Descriptions of the portal's authentication classes for the OpenAPI document."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

from controller.dialects.cookies import ACCESS_COOKIE


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "controller.dialects.authentication.TokenAuthentication"
    name = ["bearer", "key", "cookie"]

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        return [
            {"type": "http", "scheme": "bearer"},
            {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            {
                "type": "apiKey",
                "in": "cookie",
                "name": ACCESS_COOKIE,
                "description": (
                    "For pages in a browser: it signs in to every operation, with X-CSRF-Token "
                    "for whatever may change something."
                ),
            },
        ]

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:
        # Generated clients would send the cookie beside the header, and then need the CSRF token.
        return [{name: []} for name in self.name if name != "cookie"]


class BrowserScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "controller.dialects.authentication.SessionAuthentication"
    name = "browser"

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid"}


class HassioScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "controller.dialects.hassio.LegacyKeyAuthentication"
    name = "hassio"

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:
        return {"type": "apiKey", "in": "header", "name": "X-HASSIO-KEY"}
