"""The inventory: devices with their configurations, and groups."""

from controller.devices.admin.devices import DeviceAdmin
from controller.devices.admin.groups import DeviceGroupAdmin

__all__ = ["DeviceAdmin", "DeviceGroupAdmin"]
