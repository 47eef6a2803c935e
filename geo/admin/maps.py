"""Maps in the admin: widgets, static files, and the fleet as compact JSON rows."""

import hashlib
import json
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.gis.db.models.functions import AsWKB
from django.contrib.gis.geos import GEOSGeometry
from django.db.models import Count, Exists, F, OuterRef
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response
from leaflet.forms.widgets import LeafletWidget

from controller.base.errors import Refused
from geo.models import DeviceLocation, Location
from geo.rules import geometry
from geo.rules.statistics import STATES, device_counts

STYLES = [
    "leaflet/leaflet.css",
    "vendor/leaflet.markercluster-1.5.3/MarkerCluster.css",
    "portal/maps.css",
]
SCRIPTS = ["leaflet/leaflet.js", "vendor/leaflet.markercluster-1.5.3/leaflet.markercluster.js"]


def media(module: str) -> forms.Media:
    """Return Leaflet and one of our modules as form media."""
    return forms.Media(
        css={"all": STYLES},
        js=[*SCRIPTS, forms.Script(f"portal/{module}", type="module")],  # type: ignore[list-item]
    )


def ground() -> dict[str, str]:
    """Return the configured tile server, or {}: maps then draw their own ground."""
    for _, url, options in settings.LEAFLET_CONFIG["TILES"]:
        return {"tiles": url, "attribution": options["attribution"]}
    return {}


class MapWidget(LeafletWidget):
    """Map picker with address search and coordinate fields. The value is GeoJSON."""

    template_name = "portal/map_picker.html"
    geom_type = "GEOMETRY"

    @property
    def media(self) -> forms.Media:
        return media("map-picker.js")

    def serialize(self, value: Any) -> str:
        shown = geometry.as_geojson(value)
        return json.dumps(shown) if shown else ""

    def get_context(self, name: str, value: Any, attrs: Any) -> dict[str, Any]:
        text = value if isinstance(value, str) else self.serialize(value)
        context: dict[str, Any] = forms.Textarea().get_context(name, text, attrs)
        return context | {"ground": ground(), "geocodes": bool(settings.MUSTER_GEOCODER_URL)}


class GeometryFormField(forms.Field):
    """Form field for GeoJSON or well-known text, parsed without OGR."""

    widget = MapWidget

    def to_python(self, value: Any) -> GEOSGeometry | None:
        try:
            return geometry.read(value.strip() if isinstance(value, str) else value)
        except Refused as error:
            raise forms.ValidationError(str(error)) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(initial) != self.to_python(data))
        except forms.ValidationError:
            return True


def rows_of(user: Any) -> list[list[Any]]:
    """Return located rows: id, name, address, longitude, latitude, state counts."""
    found = Location.objects.visible_to(user).filter(
        Exists(DeviceLocation.objects.filter(location=OuterRef("pk"))), geometry__isnull=False
    )
    counts = device_counts(found)
    shown = found.order_by("name", "pk").annotate(binary=AsWKB("geometry"))
    return [
        [str(pk), name, address, *middle(binary), *(counts[pk][state] for state in STATES)]
        for pk, name, address, binary in shown.values_list("pk", "name", "address", "binary")
    ]


def middle(binary: bytes) -> tuple[float, float]:
    """Return the position of a geometry's marker."""
    shape = geometry.wkb_as_geojson(binary) or {}
    if shape["type"] == "Point":
        longitude, latitude = shape["coordinates"]
    else:
        longitude, latitude = GEOSGeometry(memoryview(binary)).centroid.coords
    return longitude, latitude


def sites_of(user: Any) -> list[list[Any]]:
    """Return sites with located devices: id, name, ids of the locations."""
    placed = DeviceLocation.objects.visible_to(user).filter(
        device__site__isnull=False, location__geometry__isnull=False
    )
    columns = ("device__site", "device__site__name", "location")
    sites: dict[tuple[str, str], list[str]] = {}
    for site, name, location in placed.order_by(*columns[1:]).values_list(*columns).distinct():
        sites.setdefault((str(site), name), []).append(str(location))
    return [[*site, locations] for site, locations in sites.items()]


def health_of(user: Any) -> dict[str, list[int]]:
    """Return how many devices of each location are a problem, and how many are critical."""
    rows = (
        DeviceLocation.objects.visible_to(user, "monitoring:read")
        .filter(
            device__is_deactivated=False,
            device__organization_id=F("location__organization_id"),
            device__monitoring__health__in=["problem", "critical"],
        )
        .order_by()
        .values_list("location", "device__monitoring__health")
        .annotate(Count("pk"))
    )
    found: dict[str, list[int]] = {}
    for location, health, count in rows:
        counts = found.setdefault(str(location), [0, 0])
        counts[health == "critical"] = count
    return found


def fleet(request: HttpRequest) -> HttpResponse:
    """Return the map's rows as JSON, or 304 if they are unchanged (ETag)."""
    user = request.user
    body = json.dumps(
        {
            "states": STATES,
            "rows": rows_of(user),
            "sites": sites_of(user),
            "health": health_of(user),
        }
    ).encode()
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
    answer = HttpResponse(body, content_type="application/json", headers=headers)
    unchanged = get_conditional_response(request, etag=etag, response=answer)
    return unchanged or answer
