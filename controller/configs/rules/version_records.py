"""Version records of devices, templates and groups."""

from typing import Any

from controller.accounts.rules import versions
from controller.configs.models import Config, Template
from controller.devices.models import Device, DeviceGroup

DEVICE = (
    "organization", "name", "mac_address", "hardware_id", "group", "site", "management_ip",
    "model", "os", "system", "notes",
)  # fmt: skip
CONFIG = ("backend", "config", "context")
TEMPLATE = (
    "organization", "name", "type", "backend", "vpn", "auto_cert", "tags", "default", "required",
    "default_values", "config", "notes",
)  # fmt: skip
GROUP = ("organization", "name", "description", "context", "meta_data")


def device_values(device: Device) -> dict[str, Any]:
    """Return the values to record, without the key: restoring must not lock out a device."""
    values = versions.values_of(device, DEVICE)
    row = Config.objects.filter(device=device).first()
    if row is None:
        return values | {"configuration": None}
    templates = [str(pk) for pk in row.uses.values_list("template_id", flat=True)]
    mine = versions.values_of(row, CONFIG)
    return values | {"configuration": {"templates": templates} | mine}


def template_values(template: Template) -> dict[str, Any]:
    return versions.values_of(template, TEMPLATE)


def group_values(group: DeviceGroup) -> dict[str, Any]:
    templates = [str(pk) for pk in group.template_uses.values_list("template_id", flat=True)]
    return versions.values_of(group, GROUP) | {"templates": templates}


def record_device(device: Device, verb: str = "") -> None:
    versions.record_version("device", device, device_values(device), verb=verb)


def record_template(template: Template, verb: str = "") -> None:
    versions.record_version("template", template, template_values(template), verb=verb)


def record_group(group: DeviceGroup, verb: str = "") -> None:
    versions.record_version("group", group, group_values(group), verb=verb)
