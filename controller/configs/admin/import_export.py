"""Import and export of devices: columns, and the rules a line calls."""

from typing import Any, ClassVar

from django.db import transaction
from import_export.fields import Field

from controller.accounts.models import Organization, Site
from controller.base.import_export import RuleResource, ScopedWidget
from controller.configs.rules import devices
from controller.devices.models import Device, DeviceGroup
from geo.models import Location
from geo.rules.device_locations import place_device


@transaction.atomic
def create(*, backend: Any = None, location: Any = None, **values: Any) -> Device:
    config = {"backend": backend} if backend else None
    device = devices.create_device(config=config, **filled(values))
    if location is not None:
        place_device(device, location=location)
    return device


@transaction.atomic
def update(
    device: Device, *, backend: Any = None, location: Any = None, **values: Any
) -> Device:
    config = {"backend": backend} if backend else None
    device = devices.update_device(device, config=config, **filled(values))
    if location is not None:
        place_device(device, location=location)
    return device


def filled(values: dict[str, Any]) -> dict[str, Any]:
    """Convert empty cells to the model's empty values: None for these, else ""."""
    empty = {"hardware_id": None, "management_ip": None, "group": None, "site": None}
    return {name: value or empty.get(name, "") for name, value in values.items()}


class DeviceResource(RuleResource):
    resource = "device"
    create_rule = staticmethod(create)
    update_rule = staticmethod(update)
    natural = ("mac_address",)
    related: ClassVar[tuple[str, ...]] = (
        "organization", "group", "site", "config", "presence", "place__location",
    )  # fmt: skip

    organization = Field(
        "organization", "organization", ScopedWidget(Organization, "slug", within=False)
    )
    group = Field("group", "group", ScopedWidget(DeviceGroup))
    site = Field("site", "site", ScopedWidget(Site, "slug"))
    # Fields of related rows, read and written separately.
    backend = Field("backend", "backend")
    location = Field("location", "location", ScopedWidget(Location))
    status = Field("presence__state", "status", readonly=True)
    last_seen = Field("presence__last_seen", "last_seen", readonly=True)

    class Meta(RuleResource.Meta):
        model = Device
        fields = (
            "id", "name", "mac_address", "organization", "group", "site", "hardware_id",
            "model", "os", "system", "management_ip", "backend", "location", "notes", "status",
            "last_seen",
        )  # fmt: skip

    def dehydrate_backend(self, device: Device) -> str:
        return device.config.backend if hasattr(device, "config") else ""

    def dehydrate_location(self, device: Device) -> str:
        return device.place.location.name if hasattr(device, "place") else ""
