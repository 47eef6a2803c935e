"""Import and export of locations as a table."""

from math import isclose
from typing import Any, ClassVar

from django.contrib.gis.geos import GEOSGeometry, Point
from django.utils.translation import gettext
from import_export.fields import Field

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.base.import_export import RuleResource, ScopedWidget
from geo.models import Location
from geo.rules import locations

# In degrees: what a spreadsheet may round.
NEAR, PLACES = 1e-9, 9
WORLD = {"longitude": 180, "latitude": 90}


def number(name: str, value: Any) -> float | None:
    if value in {None, ""}:
        return None
    try:
        found = float(str(value))
    except ValueError:
        raise Refused({name: [gettext("A number is expected, as in 60.3913.")]}) from None
    if not abs(found) <= WORLD[name]:
        raise Refused(
            {
                name: [
                    gettext("It lies between -%(world)s and %(world)s.")
                    % {"world": WORLD[name]}
                ]
            }
        )
    return found


def with_point(values: dict[str, Any]) -> dict[str, Any]:
    x, y = (number(name, values.pop(name, None)) for name in ("longitude", "latitude"))
    if (x is None) != (y is None):
        raise Refused(gettext("Longitude and latitude go together."))
    point = {} if x is None or y is None else {"geometry": Point(x, y, srid=4326)}
    texts = {"address": ""}
    return {
        name: texts.get(name) if value is None else value
        for name, value in values.items()
        if value is not None or name in texts
    } | point


def create(**values: Any) -> Location:
    return locations.create_location(**with_point(values))


def update(row: Location, **values: Any) -> Location:
    wanted = with_point(values)
    if row.geometry is not None and is_center(wanted.get("geometry"), row.geometry):
        # Tables tell the middle of an area: it stays the area that it is.
        del wanted["geometry"]
    return locations.update_location(row, **wanted)


def is_center(point: Point | None, shape: GEOSGeometry) -> bool:
    if point is None:
        return False
    center = shape.centroid
    return isclose(point.x, center.x, abs_tol=NEAR) and isclose(point.y, center.y, abs_tol=NEAR)


class LocationResource(RuleResource):
    resource = "location"
    create_rule = staticmethod(create)
    update_rule = staticmethod(update)
    natural = ("name",)
    related: ClassVar[tuple[str, ...]] = ("organization",)

    organization = Field(
        "organization", "organization", ScopedWidget(Organization, "slug", within=False)
    )
    longitude = Field("longitude", "longitude")
    latitude = Field("latitude", "latitude")

    class Meta(RuleResource.Meta):
        model = Location
        fields = (
            "id", "name", "organization", "type", "is_mobile", "address", "longitude", "latitude",
        )  # fmt: skip

    def dehydrate_longitude(self, row: Location) -> float | str:
        return round(row.geometry.centroid.x, PLACES) if row.geometry else ""

    def dehydrate_latitude(self, row: Location) -> float | str:
        return round(row.geometry.centroid.y, PLACES) if row.geometry else ""
