from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django_filters import rest_framework as filters
from rest_framework.exceptions import ValidationError

from controller.accounts.api.filters import OwnedFilter, visible_organizations
from controller.base import values
from controller.configs.models import Backend, Config
from controller.devices.api.filters.device_locations import PlaceFilter
from controller.devices.models import Device, DeviceGroup
from geo.models import FloorPlan, Location


def visible_groups(request: HttpRequest | None) -> QuerySet[DeviceGroup]:
    return DeviceGroup.objects.filter(organization__in=visible_organizations(request))


def visible_locations(request: HttpRequest | None) -> QuerySet[Location]:
    return Location.objects.filter(organization__in=visible_organizations(request))


def visible_floor_plans(request: HttpRequest | None) -> QuerySet[FloorPlan]:
    return FloorPlan.objects.filter(location__organization__in=visible_organizations(request))


MOST_TEMPLATES = 40


class GroupFilter(OwnedFilter):
    # As OpenWISP answers it, whatever its name says.
    empty = filters.BooleanFilter(
        "devices", "isnull", exclude=True, distinct=True, label="Has devices?",
        help_text="true: groups that have devices; false: groups that have none.",
    )  # fmt: skip

    class Meta:
        model = DeviceGroup
        fields: list[str] = []


class DeviceFilter(OwnedFilter, PlaceFilter):
    geometry_path = "place__location__geometry"

    name = filters.CharFilter(lookup_expr="icontains")
    mac_address = filters.CharFilter(method="by_mac_address", help_text="All of it or a part.")
    group = filters.ModelChoiceFilter(queryset=visible_groups)
    config__status = filters.ChoiceFilter(choices=Config.Status.choices)
    config__backend = filters.ChoiceFilter(choices=Backend.choices)
    config__templates = filters.CharFilter(
        method="by_templates", help_text="A template's id, or several separated by commas."
    )

    config__drifted = filters.BooleanFilter(
        "config__drifted_at", "isnull", exclude=True,
        help_text="Whether its files were changed on the device.",
    )  # fmt: skip
    with_geo = filters.BooleanFilter(
        "place", "isnull", exclude=True, help_text="Whether it has a location."
    )
    location = filters.ModelChoiceFilter(
        field_name="place__location", queryset=visible_locations
    )
    geo_is_estimated = filters.BooleanFilter(
        "place__location__is_estimated", help_text="Whether its location is an estimate."
    )
    location__name = filters.CharFilter("place__location__name", "icontains")
    floorplan = filters.ModelChoiceFilter(
        field_name="place__floor_plan", queryset=visible_floor_plans
    )

    class Meta:
        model = Device
        fields: list[str] = []

    def by_mac_address(self, rows: QuerySet[Device], name: str, text: str) -> QuerySet[Device]:
        try:
            return rows.filter(mac_address=values.mac_address(text))
        except ValueError:
            return rows.filter(mac_address__icontains=text.replace("-", ":"))

    def by_templates(self, rows: QuerySet[Device], _: str, value: str) -> QuerySet[Device]:
        try:
            wanted = {UUID(part.strip()) for part in value.split(",")}
        except ValueError:
            raise ValidationError({"config__templates": "Invalid UUID format"}) from None
        # Each is a join, and databases bound their number.
        if len(wanted) > MOST_TEMPLATES:
            reason = f"At most {MOST_TEMPLATES} templates can be asked for at once."
            raise ValidationError({"config__templates": reason})
        for template in wanted:
            rows = rows.filter(config__uses__template=template)
        return rows
