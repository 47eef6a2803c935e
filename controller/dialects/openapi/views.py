"""Views that serve the OpenAPI document."""

from functools import cache
from typing import Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.request import Request


@cache
def document() -> dict[str, Any]:
    """Return the OpenAPI document, generated once per process."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return made


@cache
def render_document() -> bytes:
    text: bytes = OpenApiJsonRenderer().render(document())
    return text


class Document(SpectacularJSONAPIView):
    """OpenAPI document, public. Cached, because generation takes seconds."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        kind = getattr(request, "accepted_media_type", None) or OpenApiJsonRenderer.media_type
        return HttpResponse(
            render_document(),
            content_type=kind,
            headers={"Content-Disposition": 'inline; filename="Muster.json"'},
        )
