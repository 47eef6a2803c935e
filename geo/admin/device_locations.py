"""The Location tab of a device's page."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from controller.base.admin import admin_url
from controller.devices.models import Device
from geo.admin import maps
from geo.admin.floor_plans import board
from geo.models import DeviceLocation, FloorPlan, Location
from geo.rules import geometry

# Up to this number a select is offered; above it, a search by name.
OFFERED = 200


def place_of_device(request: HttpRequest, device: Device) -> dict[str, Any] | None:
    """Return the context of the tab, or None if the user may not see locations."""
    user: Any = request.user
    owner = device.organization_id
    if not user.has_perm_on("location:read", device):
        return None
    moves = user.has_perm_on("location:update", device) and not device.is_deactivated
    place = (
        DeviceLocation.objects.select_related("location", "floor_plan__location")
        .filter(device=device, location__organization=owner)
        .first()
    )
    shown: dict[str, Any] = {
        "moves": moves,
        "save": f"/api/v1/controller/device/{device.pk}/location/",
        "place": place,
        "new": f"{admin_url(Location, 'add')}?{urlencode({'organization': owner, 'device': device.pk})}",
        "offered": Location.objects.filter(organization=owner).order_by("name")[:OFFERED]
        if moves
        else [],
        "ground": maps.ground(),
        "media": maps.media("floor-plan.js") + maps.media("place.js"),
    }
    return shown | (at_place(place, moves=moves) if place else {})


def at_place(place: DeviceLocation, *, moves: bool) -> dict[str, Any]:
    plan: FloorPlan | None = place.floor_plan
    return {
        "link": admin_url(Location, "change", place.location_id),
        "geometry": geometry.as_geojson(place.location.geometry),
        "plans": place.location.floor_plans.order_by("floor") if moves else [],
        "plan": plan,
        "board": plan
        and board(plan, DeviceLocation.objects.filter(pk=place.pk), movable=moves),
    }
