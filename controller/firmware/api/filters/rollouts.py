from django_filters import rest_framework as filters

from controller.dialects.filters import MomentFilter
from controller.firmware.api.filters.catalog import OrganizationFilter
from controller.firmware.engine.vendors import CHOICES
from controller.firmware.models import FirmwareRollout, GatewayRollout, ImageRequest, Packages


class GatewayRolloutFilter(filters.FilterSet):
    organization = OrganizationFilter("organization")
    vendor = filters.ChoiceFilter(choices=CHOICES)
    state = filters.ChoiceFilter(choices=GatewayRollout.State.choices)
    created = MomentFilter()
    ordering = filters.OrderingFilter(fields=["created", "modified"])

    class Meta:
        model = GatewayRollout
        fields: list[str] = []


class PackageRolloutFilter(filters.FilterSet):
    organization = OrganizationFilter("organization")
    packages = filters.ChoiceFilter(choices=Packages.choices)
    state = filters.ChoiceFilter(choices=FirmwareRollout.State.choices)
    created = MomentFilter()
    ordering = filters.OrderingFilter(fields=["created", "modified"])

    class Meta:
        model = FirmwareRollout
        fields: list[str] = []


class ImageRequestFilter(filters.FilterSet):
    organization = OrganizationFilter("build__category__organization")
    build = filters.UUIDFilter("build_id")
    state = filters.ChoiceFilter(choices=ImageRequest.State.choices)
    ordering = filters.OrderingFilter(fields=["created", "modified"])

    class Meta:
        model = ImageRequest
        fields: list[str] = []
