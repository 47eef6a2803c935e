from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework_gis import fields as gis

from controller.accounts.api.serializers import OrganizationField, VisibleRelatedField
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.dialects.openapi import shapes
from geo.models import DeviceLocation, FloorPlan, Location, OrganizationGeoSettings, ordinal
from geo.rules import geometry
from geo.rules.locations import HIGHEST_FLOOR


@extend_schema_field(shapes.GEOMETRY)
class GeometryField(gis.GeometryField):  # type: ignore[misc]
    """GeoJSON or well-known text as input, GeoJSON as output; parsed without OGR."""

    # DRF's forms show it as text.
    _is_jsonfield = True

    def to_internal_value(self, data: Any) -> Any:
        try:
            return geometry.read(data)
        except Refused as error:
            raise serializers.ValidationError(str(error)) from error

    def to_representation(self, value: Any) -> Any:
        return geometry.as_geojson(value)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        empty: tuple[bool, Any] = super().validate_empty_values(None if data == "" else data)
        return empty


class ImageField(serializers.ImageField):
    """Image upload, validated by a rule; shown as the URL of the image."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(help_text="floor plan image", max_length=100, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str):
            # A client sends the image's URL back unchanged: keep the image.
            raise serializers.SkipField
        return serializers.FileField.to_internal_value(self, data)

    def get_attribute(self, instance: Any) -> Any:
        return instance

    def to_representation(self, value: FloorPlan) -> str:  # type: ignore[override]
        return image_url(self.context.get("request"), value.pk, value.kind)


def image_url(request: Request | None, plan: UUID, kind: str) -> str:
    path = reverse("floor-plan-image", args=[plan, kind])
    return request.build_absolute_uri(path) if request else path


class FloorField(serializers.IntegerField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=-HIGHEST_FLOOR - 1, max_value=HIGHEST_FLOOR, **kwargs)


PLAN = {
    "type": "object",
    "properties": {
        "floor": {"type": "integer"},
        "image": {"type": ["string", "null"], "description": "The image, or its URL."},
    },
}
PLANS = {"type": "array", "items": PLAN}


class FloorPlanOfLocation(serializers.ModelSerializer[FloorPlan]):
    floor = FloorField(required=False)
    image = ImageField(required=False)

    class Meta:
        model = FloorPlan
        fields = ["floor", "image"]

    def run_validation(self, data: Any = serializers.empty) -> Any:
        # Clients read a list and send it back: use its first item.
        if isinstance(data, list):
            data = data[0] if data else None
        if isinstance(data, Mapping) and set(data) == {"image"} and data["image"] in ("", None):
            # An empty field of a form.
            data = None
        return super().run_validation(data)


class LocationSerializer(serializers.ModelSerializer[Location]):
    answer_shapes = {"floorplan": PLANS}
    body_shapes = {"floorplan": {"anyOf": [PLAN, PLANS, {"type": "null"}]}}
    organization = OrganizationField()
    geometry = GeometryField(required=False, allow_null=True)
    floorplan = FloorPlanOfLocation(required=False, allow_null=True, source="floor_plans")

    class Meta:
        model = Location
        fields = [
            "id", "organization", "name", "type", "is_mobile", "is_estimated", "address",
            "geometry", "created", "modified", "floorplan",
        ]  # fmt: skip

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if "floor_plans" in values:
            values["floorplan"] = values.pop("floor_plans")
        return values

    def to_representation(self, instance: Location) -> dict[str, Any]:
        plans = self.fields["floorplan"]
        shown = {
            name: field.to_representation(field.get_attribute(instance))
            for name, field in self.fields.items()
            if field is not plans
        }
        shown["floorplan"] = [
            plans.to_representation(plan)
            for plan in sorted(instance.floor_plans.all(), key=lambda plan: plan.floor)
        ]
        return shown


@extend_schema_field(OpenApiTypes.UUID)
class OwnerField(OrganizationField):
    """Organization of a row without an own organization field."""


class FloorPlanSerializer(serializers.ModelSerializer[FloorPlan]):
    name = serializers.SerializerMethodField()
    floor = FloorField()
    image = ImageField()
    location = VisibleRelatedField(queryset=Location.objects.all())
    organization = OwnerField(required=False)

    class Meta:
        model = FloorPlan
        fields = [
            "id", "name", "floor", "image", "created", "modified", "location", "organization",
        ]  # fmt: skip
        # The rule checks this with its own message.
        validators: list[Any] = []

    def get_name(self, plan: FloorPlan) -> str:
        return str(plan)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        told = attrs.pop("organization", None)
        location = attrs.get("location") or self.instance.location  # type: ignore[union-attr]
        if told is not None and told.pk != location.organization_id:
            raise serializers.ValidationError(
                {"organization": ["The floor plan is of its location's organization."]}
            )
        return attrs

    def to_representation(self, instance: FloorPlan) -> dict[str, Any]:
        return {
            "id": instance.pk,
            "name": self.get_name(instance),
            "floor": instance.floor,
            "image": image_url(self.context.get("request"), instance.pk, instance.kind),
            "created": instance.created,
            "modified": instance.modified,
            "location": instance.location_id,
            "organization": instance.location.organization_id,
        }


class Reference(serializers.ModelSerializer[Any]):
    """Id of a row of the device's organization, or values of a new or changed one."""

    def to_internal_value(self, data: Any) -> Any:
        model: Any = self.Meta.model
        if isinstance(data, str):
            rows = model.objects.visible_to(self.context["request"].user)
            try:
                return serializers.PrimaryKeyRelatedField(queryset=rows).to_internal_value(data)
            except (serializers.ValidationError, DjangoValidationError):
                name = str(model.__name__)
                raise serializers.ValidationError(
                    f"{name} object with entered ID does not exists"
                ) from None
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                f"The id of a {model._meta.verbose_name}, or its values are expected."
            )
        if isinstance(data.get("properties"), Mapping):
            data = {**data["properties"], "geometry": data.get("geometry")}
        return super().to_internal_value(data)


TEXT = {"type": "string"}
UUID_TEXT = {"type": "string", "format": "uuid"}
KIND = {"type": "string", "enum": list(Location.Type.values)}
PLACE = {"type": KIND, "is_mobile": {"type": "boolean"}, "name": TEXT, "address": TEXT}
FEATURE = shapes.feature(**PLACE)
# A feature as it was read, plain values, or the id of a location.
GIVEN_PLACE = {
    "anyOf": [
        {
            "type": "object",
            "properties": {**PLACE, "geometry": shapes.nullable(shapes.GEOMETRY)},
        },
        FEATURE,
        UUID_TEXT,
        {"type": "null"},
    ]
}
GIVEN_PLAN = {"anyOf": [PLAN, UUID_TEXT, {"type": "null"}]}


class LocationOfDevice(Reference):
    geometry = GeometryField(required=False, allow_null=True)

    class Meta:
        model = Location
        fields = ["id", "type", "is_mobile", "name", "address", "geometry"]

    def to_representation(self, instance: Location) -> dict[str, Any]:
        return {
            "id": instance.pk,
            "type": "Feature",
            "geometry": geometry.as_geojson(instance.geometry),
            "properties": {
                "type": instance.type,
                "is_mobile": instance.is_mobile,
                "name": instance.name,
                "address": instance.address,
            },
        }


class FloorPlanOfDevice(Reference):
    name = serializers.CharField(source="__str__", read_only=True)
    floor = FloorField(required=False)
    image = ImageField(required=False)

    class Meta:
        model = FloorPlan
        fields = ["id", "name", "floor", "image", "created", "modified"]


class DeviceLocationSerializer(serializers.ModelSerializer[DeviceLocation]):
    answer_shapes = {
        "location": shapes.nullable(
            {**FEATURE, "properties": {"id": UUID_TEXT, **FEATURE["properties"]}}
        )
    }
    body_shapes = {"location": GIVEN_PLACE, "floorplan": GIVEN_PLAN}
    location = LocationOfDevice(allow_null=True)
    floorplan = FloorPlanOfDevice(required=False, allow_null=True, source="floor_plan")
    indoor = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=64
    )

    class Meta:
        model = DeviceLocation
        fields = ["location", "floorplan", "indoor"]

    def to_internal_value(self, data: Any) -> Any:
        values = super().to_internal_value(data)
        if "floor_plan" in values:
            values["floorplan"] = values.pop("floor_plan")
        return values

    def to_representation(self, instance: DeviceLocation) -> dict[str, Any]:
        shown = super().to_representation(instance)
        shown["indoor"] = instance.indoor or None
        return shown


class CoordinatesSerializer(serializers.ModelSerializer[Location]):
    geometry = GeometryField(
        required=False, allow_null=True, help_text="Left out, only a moving location is made."
    )

    class Meta:
        model = Location
        fields = ["name", "geometry"]
        read_only_fields = ["name"]

    def to_representation(self, instance: Location) -> dict[str, Any]:
        return {
            "type": "Feature",
            "geometry": geometry.as_geojson(instance.geometry),
            "properties": {"name": instance.name},
        }


class GeoSettingsSerializer(serializers.ModelSerializer[OrganizationGeoSettings]):
    class Meta:
        model = OrganizationGeoSettings
        fields = ["organization", "estimated_location_enabled"]
        read_only_fields = ["organization"]


def admin_address(request: Request, device: UUID) -> str:
    return request.build_absolute_uri(
        f"{reverse('admin:index')}devices/device/{device}/change/"
    )


class DeviceOfLocation(serializers.ModelSerializer[Device]):
    """A device in the list of a location, without its key."""

    admin_edit_url = serializers.SerializerMethodField()
    last_ip = serializers.CharField(
        source="presence.last_ip", read_only=True, default=None, allow_null=True
    )
    _is_deactivated = serializers.BooleanField(source="is_deactivated", read_only=True)

    class Meta:
        model = Device
        fields = [
            "id", "admin_edit_url", "created", "modified", "name", "mac_address", "model", "os",
            "system", "notes", "last_ip", "management_ip", "hardware_id", "_is_deactivated",
            "organization", "group",
        ]  # fmt: skip

    def get_admin_edit_url(self, device: Device) -> str:
        return admin_address(self.context["request"], device.pk)


class IndoorCoordinates(serializers.ModelSerializer[DeviceLocation]):
    admin_edit_url = serializers.SerializerMethodField()
    device_name = serializers.CharField(source="device.name")
    mac_address = serializers.CharField(source="device.mac_address")
    floorplan_id = serializers.UUIDField(source="floor_plan_id")
    floor_name = serializers.SerializerMethodField()
    floor = serializers.IntegerField(source="floor_plan.floor")
    image = serializers.SerializerMethodField()
    coordinates = serializers.SerializerMethodField()

    class Meta:
        model = DeviceLocation
        fields = [
            "id", "admin_edit_url", "device_id", "floorplan_id", "device_name", "mac_address",
            "floor_name", "floor", "image", "coordinates",
        ]  # fmt: skip

    def get_admin_edit_url(self, place: DeviceLocation) -> str:
        return admin_address(self.context["request"], place.device_id)

    def get_floor_name(self, place: DeviceLocation) -> str:
        assert place.floor_plan is not None  # noqa: S101 - the view lists no others
        return f"{place.location.name} {ordinal(place.floor_plan.floor)} floor"

    def get_image(self, place: DeviceLocation) -> str:
        plan = place.floor_plan
        assert plan is not None  # noqa: S101 - the view lists no others
        return image_url(self.context.get("request"), plan.pk, plan.kind)

    @extend_schema_field(
        inline_serializer(
            "PointOnPlan", {"lat": serializers.FloatField(), "lng": serializers.FloatField()}
        )
    )
    def get_coordinates(self, place: DeviceLocation) -> dict[str, float] | None:
        return place.coordinates and dict(zip(("lat", "lng"), place.coordinates, strict=True))
