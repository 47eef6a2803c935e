from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from controller.configs.api.agent.views import archive_of
from controller.configs.api.filters import TemplateFilter
from controller.configs.api.serializers import TemplateSerializer
from controller.configs.models import Template
from controller.configs.rules import templates
from controller.dialects.openwisp import RuleViewSet


class TemplateViewSet(RuleViewSet):
    """Pieces of configuration that many devices have in common."""

    queryset = Template.objects.all()
    resource = "template"
    filterset_class = TemplateFilter
    serializer_class = TemplateSerializer
    create_rule = staticmethod(templates.create_template)
    update_rule = staticmethod(templates.update_template)
    delete_rule = staticmethod(templates.delete_template)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    @action(detail=True, methods=["get"])
    def configuration(self, request: Request, pk: str) -> HttpResponse:
        """What the template renders to by itself, with its default values (tar.gz)."""
        template = self.get_object()
        return archive_of(template.name, templates.rendered(template).archive)
