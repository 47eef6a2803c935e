"""Admin pages of locations and floor plans, and the map of the fleet."""

from controller.devices.admin.panels import register_panel
from geo.admin.device_locations import place_of_device
from geo.admin.floor_plans import FloorPlanAdmin
from geo.admin.locations import LocationAdmin

register_panel("where", place_of_device)

__all__ = ["FloorPlanAdmin", "LocationAdmin"]
