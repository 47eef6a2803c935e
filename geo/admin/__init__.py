"""Places on maps: locations, their floor plans, and the map of the fleet."""

from geo.admin.floor_plans import FloorPlanAdmin
from geo.admin.locations import LocationAdmin

__all__ = ["FloorPlanAdmin", "LocationAdmin"]
