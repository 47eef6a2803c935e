from django_filters import rest_framework as filters

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.devices.api.filters import visible_locations
from controller.devices.api.filters.device_locations import PlaceFilter
from controller.dialects.filters import WholeNumberFilter
from geo.models import FloorPlan, Location


class OrganizationFilter(OwnedFilter):
    """Filter by organization, also by the name in OpenWISP's documentation."""

    organization_id = filters.ModelChoiceFilter(
        field_name="organization", queryset=visible_organizations
    )


class LocationFilter(OrganizationFilter, PlaceFilter):
    name = filters.CharFilter(lookup_expr="icontains")
    type = filters.ChoiceFilter(choices=Location.Type.choices)
    is_mobile = filters.BooleanFilter()
    is_estimated = filters.BooleanFilter()

    class Meta:
        model = Location
        fields: list[str] = []


class FloorPlanFilter(OwnedFilter):
    organization = filters.ModelChoiceFilter(
        field_name="location__organization", queryset=visible_organizations
    )
    organization_id = filters.ModelChoiceFilter(
        field_name="location__organization", queryset=visible_organizations
    )
    organization_slug = filters.CharFilter("location__organization__slug")
    location = filters.ModelChoiceFilter(queryset=visible_locations)
    floor = WholeNumberFilter()

    class Meta:
        model = FloorPlan
        fields: list[str] = []
