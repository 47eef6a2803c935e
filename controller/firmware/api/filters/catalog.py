from contextlib import suppress
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters

from controller.accounts.api.filters import visible_organizations
from controller.firmware.models import Build, Category, Image


class OrganizationFilter(filters.CharFilter):
    """Rows of an organization, by its slug as OpenWISP has it or by its id."""

    def filter(self, qs: QuerySet[Category], value: str) -> QuerySet[Category]:
        if not value:
            return qs
        request: HttpRequest = self.parent.request
        wanted = Q(slug=value)
        with suppress(ValueError):
            wanted |= Q(pk=UUID(value))
        owners = visible_organizations(request).filter(wanted)
        return qs.filter(**{f"{self.field_name}__in": owners})


class CategoryFilter(filters.FilterSet):
    organization = OrganizationFilter("organization")
    name = filters.CharFilter()
    ordering = filters.OrderingFilter(fields=["name", "created", "modified"])

    class Meta:
        model = Category
        fields: list[str] = []


class BuildFilter(filters.FilterSet):
    organization = OrganizationFilter("category__organization")
    category = filters.UUIDFilter("category_id")
    version = filters.CharFilter()
    os = filters.CharFilter()
    ordering = filters.OrderingFilter(fields=["version", "created", "modified"])

    class Meta:
        model = Build
        fields: list[str] = []


class ImageFilter(filters.FilterSet):
    organization = OrganizationFilter("build__category__organization")
    type = filters.CharFilter()
    sha256 = filters.CharFilter()
    ordering = filters.OrderingFilter(fields=["type", "created", "modified"])

    class Meta:
        model = Image
        fields: list[str] = []
