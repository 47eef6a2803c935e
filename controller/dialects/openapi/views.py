"""Views that serve the OpenAPI document."""

import json
from functools import cache
from typing import Any

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import (
    SpectacularJSONAPIView,
    SpectacularRedocView,
    SpectacularSwaggerSplitView,
)
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from controller.dialects.negotiation import OneFormat
from controller.dialects.renderers import JSONRenderer


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated once per process."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


@cache
def render_document() -> bytes:
    return json.dumps(document(), separators=(",", ":"), default=str).encode()


class Document(SpectacularJSONAPIView):
    """OpenAPI document, public. Cached, because generation takes seconds."""

    renderer_classes = [JSONRenderer]
    content_negotiation_class = OneFormat

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        accepted = request.headers.get("accept", "")
        is_named = OpenApiJsonRenderer.media_type in accepted
        return HttpResponse(
            render_document(),
            content_type=OpenApiJsonRenderer.media_type if is_named else "application/json",
            headers={"Content-Disposition": 'inline; filename="Muster.json"'},
        )


class Explorer(SpectacularSwaggerSplitView):
    """The document as a page on which calls can be tried."""

    content_negotiation_class = OneFormat
    http_method_names = ["get", "head"]


class Reference(SpectacularRedocView):
    """The document as a page to read."""

    content_negotiation_class = OneFormat
    http_method_names = ["get", "head"]


class Index(APIView):
    """Where the API begins: its documentation, and a list of each area."""

    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(
            {
                "openapi": request.build_absolute_uri(reverse("openapi")),
                "documentation": request.build_absolute_uri(reverse("docs")),
                "areas": {
                    tag: request.build_absolute_uri(path) for tag, path in areas().items()
                },
            }
        )


@cache
def areas() -> dict[str, str]:
    """Return for each area the shortest address that can be read without any number."""
    found: dict[str, str] = {}
    for path, methods in sorted(document()["paths"].items(), key=lambda one: len(one[0])):
        if "get" in methods and "{" not in path:
            found.setdefault(methods["get"]["tags"][0], path)
    return dict(sorted(found.items()))
