"""Locations of devices: location, floor plan, and position on it."""

from collections.abc import Mapping
from typing import Any

from django.contrib.gis.geos import GEOSGeometry
from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import NotFound, NotPermitted, Refused
from controller.devices.models import Device
from geo.models import DeviceLocation, FloorPlan, Location, OrganizationGeoSettings
from geo.rules.locations import (
    create_floor_plan,
    create_location,
    under,
    update_floor_plan,
    update_location,
)

NOT_HERE = "No DeviceLocation matches the given query."


def place_of(device: Device) -> DeviceLocation:
    """Return the device's location. Raises :class:`NotFound` if it has none."""
    place = _place(device)
    if place is None:
        raise NotFound(NOT_HERE)
    return place


def is_placed(device: Device) -> bool:
    return _place(device) is not None


def _place(device: Device) -> DeviceLocation | None:
    # Ignore the location of a previous organization.
    return (
        DeviceLocation.objects.select_related("location", "floor_plan__location")
        .filter(device=device, location__organization=device.organization_id)
        .first()
    )


@transaction.atomic
def place_device(device: Device, **changes: Any) -> DeviceLocation | None:
    """Set the device's location. Omitted values stay unchanged.

    ``location``: a row, values (which change the current location, or create one), or None,
    which removes the device from the map. ``floorplan``: likewise. ``indoor``: y,x on the
    floor plan, or None. Raises NotPermitted for deactivated devices.
    """
    device = Device.objects.select_for_update().get(pk=device.pk)
    if device.is_deactivated:
        raise NotPermitted(gettext("A deactivated device cannot be moved; activate it first."))
    place = _place(device) or _fresh_place(device)
    if "location" in changes:
        if changes["location"] is None:
            remove(device)
            return None
        _locate(place, changes["location"])
    elif place._state.adding:
        raise Refused({"location": [gettext("This field is required.")]})
    if not place.location.is_indoor:
        place.floor_plan, place.indoor = None, ""
    if "floorplan" in changes:
        _on_floor(place, changes["floorplan"])
    if "indoor" in changes:
        place.indoor = changes["indoor"] or ""
    place.checked()
    place.save()
    return place


def _fresh_place(device: Device) -> DeviceLocation:
    DeviceLocation.objects.filter(device=device).delete()
    return DeviceLocation(device=device)


def _locate(place: DeviceLocation, wanted: Location | Mapping[str, Any]) -> None:
    if isinstance(wanted, Location):
        if wanted.organization_id != place.device.organization_id:
            raise Refused(
                {
                    "location": [
                        gettext(
                            "The organization of this device and of its location do not match."
                        )
                    ]
                }
            )
        if wanted.pk != place.location_id:
            place.location, place.floor_plan, place.indoor = wanted, None, ""
        return
    try:
        if place._state.adding:
            place.location = create_location(organization=place.device.organization, **wanted)
        else:
            place.location = update_location(place.location, **wanted)
    except Refused as error:
        raise under("location", error) from error


def _on_floor(place: DeviceLocation, wanted: FloorPlan | Mapping[str, Any] | None) -> None:
    if wanted is None:
        place.floor_plan, place.indoor = None, ""
    elif not place.location.is_indoor:
        raise Refused({"floorplan": [gettext("Only an indoor location has floor plans.")]})
    elif isinstance(wanted, FloorPlan):
        if wanted.location_id != place.location_id:
            raise Refused({"floorplan": [gettext("The floor plan is of another location.")]})
        if wanted.pk != place.floor_plan_id:
            place.floor_plan, place.indoor = wanted, ""
    else:
        try:
            if place.floor_plan is None:
                place.floor_plan = create_floor_plan(location=place.location, **wanted)
            else:
                place.floor_plan = update_floor_plan(place.floor_plan, **wanted)
        except Refused as error:
            raise under("floorplan", error) from error


def remove(device: Device) -> None:
    """Remove the device from the map. Its location is kept."""
    place = place_of(device)
    if device.is_deactivated:
        raise NotPermitted(gettext("A deactivated device cannot be moved; activate it first."))
    place.delete()


@transaction.atomic
def report_position(
    device: Device, geometry: GEOSGeometry | None, *, adding: bool = True
) -> Location:
    """Store a position reported by the device, creating a mobile location if needed.

    Raises NotFound if the device has no location and `adding` is False.
    """
    place = _place(device)
    if place is not None:
        location = place.location
        return location if geometry is None else update_location(location, geometry=geometry)
    if not adding:
        raise NotFound(NOT_HERE)
    location = create_location(
        organization=device.organization,
        name=device.name,
        type=Location.Type.OUTDOOR,
        is_mobile=True,
        geometry=geometry,
    )
    place_device(device, location=location)
    return location


def drop_foreign_places(device: Device) -> None:
    """Remove the device from locations of other organizations, after a move."""
    DeviceLocation.objects.filter(device=device).exclude(
        location__organization=device.organization_id
    ).delete()


def geo_settings_of(organization: Organization) -> OrganizationGeoSettings:
    """Return the organization's settings, or the defaults, which are not stored."""
    found = OrganizationGeoSettings.objects.filter(organization=organization).first()
    return found or OrganizationGeoSettings(organization=organization)


def update_geo_settings(
    row: OrganizationGeoSettings, *, estimated_location_enabled: bool = False
) -> OrganizationGeoSettings:
    if estimated_location_enabled:
        raise Refused(
            {
                "estimated_location_enabled": [
                    gettext(
                        "Locations are estimated from a database of addresses, and this portal "
                        "has none."
                    )
                ]
            }
        )
    row.estimated_location_enabled = estimated_location_enabled
    row.save()
    return row
