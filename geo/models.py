"""Locations, floor plans, and the locations of devices."""

import math
from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Any

from django.contrib.gis.db.models import GeometryField
from django.contrib.gis.db.models.functions import Distance
from django.contrib.gis.db.models.lookups import BBOverlapsLookup
from django.contrib.gis.geos import GEOSGeometry, LineString, Point, Polygon
from django.contrib.gis.measure import D
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    Organization,
    OrganizationOwned,
    OrganizationScoped,
)
from controller.base.models import Base, Dated
from controller.devices.models import Device

# Meters in the shortest degree of latitude, so that boxes are never too small.
METERS_PER_DEGREE = 110_500.0
SIDES_OF_PLANE = 2
TEENS = range(10, 14)


@GeometryField.register_lookup
class InFrame(BBOverlapsLookup):
    """Lookup: bounding boxes overlap, using the spatial index of either database.

    PostGIS has an operator for it. SpatiaLite's index is a table of its own that its
    functions do not use, so the rows are looked up there.
    """

    lookup_name = "in_frame"

    def get_rhs_op(self, connection: Any, rhs: str) -> Any:
        return connection.ops.gis_operators["bboverlaps"]

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        quote = connection.ops.quote_name
        column = self.lhs.target
        index = quote(f"idx_{column.model._meta.db_table}_{column.column}")
        left, bottom, right, top = self.rhs.extent
        row = f"{quote(self.lhs.alias)}.ROWID"
        return (
            f"{row} IN (SELECT pkid FROM {index} "  # noqa: S608 - of quoted names alone
            "WHERE xmax >= %s AND xmin <= %s AND ymax >= %s AND ymin <= %s)",
            [left, right, bottom, top],
        )


Box = tuple[float, float, float, float]


def in_box(path: str, box: Box) -> Q:
    """Return a filter for geometry in a box (west, south, east, north, degrees).

    A box with west > east crosses the antimeridian.
    """
    return _any(in_area(path, _shape(part)) for part in _parts(box))


def in_area(path: str, area: GEOSGeometry) -> Q:
    area.srid = 4326
    return Q(**{f"{path}__in_frame": area, f"{path}__intersects": area})


def near(rows: QuerySet[Any], path: str, point: Point, meters: float) -> QuerySet[Any]:
    """Filter to rows within `meters` of the point, measured along the earth's surface."""
    point.srid = 4326
    frames = _parts(_around(point, meters))
    found: QuerySet[Any] = (
        rows.filter(_any(Q(**{f"{path}__in_frame": _shape(part)}) for part in frames))
        .alias(distance=Distance(path, point))
        .filter(distance__lte=D(m=meters))
    )
    return found


def _any(conditions: Iterable[Q]) -> Q:
    return reduce(or_, conditions)


def _parts(box: Box) -> list[Box]:
    west, south, east, north = box
    if west > east:
        return [(west, south, 180.0, north), (-180.0, south, east, north)]
    return [box]


def _shape(box: Box) -> GEOSGeometry:
    """Return a box as geometry: a point or line if it has no area."""
    west, south, east, north = box
    if west < east and south < north:
        area = Polygon.from_bbox(box)
        area.srid = 4326
        return area
    if (west, south) == (east, north):
        return Point(west, south, srid=4326)
    return LineString((west, south), (east, north), srid=4326)


def _around(point: Point, meters: float) -> Box:
    """Return the box of west, south, east and north that contains the circle."""
    tall = meters / METERS_PER_DEGREE
    south, north = max(-90.0, point.y - tall), min(90.0, point.y + tall)
    narrowest = math.cos(math.radians(max(abs(south), abs(north))))
    if narrowest * 180.0 <= tall:
        return -180.0, south, 180.0, north
    wide = tall / narrowest
    return _turned(point.x - wide), south, _turned(point.x + wide), north


def _turned(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0


class Location(OrganizationOwned, Base):
    class Type(models.TextChoices):
        OUTDOOR = "outdoor", _("Outdoor (street, square, land)")
        INDOOR = "indoor", _("Indoor (building, subway, ship)")

    name = models.CharField(
        max_length=75, db_index=True, help_text=_("Name of the building, company or place.")
    )
    type = models.CharField(
        max_length=8,
        choices=Type.choices,
        help_text=_("Indoor locations can have floor plans."),
    )
    is_mobile = models.BooleanField(
        _("moves"),
        default=False,
        help_text=_("For vehicles: the devices report the position."),
    )
    address = models.CharField(max_length=256, blank=True)
    geometry = GeometryField(null=True, blank=True)
    is_estimated = models.BooleanField(
        _("estimated"), default=False,
        help_text=_("The position was estimated from the IP address of the device."),
    )  # fmt: skip

    class Meta:
        ordering = ["-created"]
        indexes = [models.Index(fields=["organization", "-created"])]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.geometry is None and not self.is_mobile:
            raise ValidationError(
                {
                    "geometry": gettext(
                        "A location that does not move needs a geometry: where it is."
                    )
                }
            )

    @property
    def is_indoor(self) -> bool:
        return self.type == self.Type.INDOOR


class FloorPlan(OrganizationScoped, Base):
    """Floor plan. The image is in its own row, loaded only when shown."""

    organization_path = "location__organization"

    location = models.ForeignKey(Location, models.CASCADE, related_name="floor_plans")
    floor = models.SmallIntegerField(
        help_text=_("0 is the ground floor; floors below it are negative.")
    )
    kind = models.CharField(max_length=8, editable=False)
    width = models.PositiveIntegerField(
        editable=False, help_text=_("Size of the image in pixels.")
    )
    height = models.PositiveIntegerField(
        editable=False, help_text=_("Size of the image in pixels.")
    )

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["location", "floor"],
                name="one_plan_of_each_floor",
                violation_error_message=_(
                    "This floor of this location has a floor plan already."
                ),
            )
        ]

    def __str__(self) -> str:
        return f"{self.location.name} {ordinal(self.floor)} Floor"


class FloorPlanImage(OrganizationScoped, Dated):
    """Image of a floor plan, in the database for consistency with its row."""

    organization_path = "floor_plan__location__organization"

    floor_plan = models.OneToOneField(
        FloorPlan, models.CASCADE, primary_key=True, related_name="image"
    )
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"Image of {self.floor_plan}"


def ordinal(number: int) -> str:
    is_teen = abs(number) % 100 in TEENS
    if number < 0:
        return str(number)
    suffix = "th" if is_teen else {1: "st", 2: "nd", 3: "rd"}.get(abs(number) % 10, "th")
    return f"{number}{suffix}"


def valid_indoor(value: str) -> None:
    try:
        numbers = [float(part) for part in value.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != SIDES_OF_PLANE or not all(map(math.isfinite, numbers)):
        raise ValidationError(gettext("invalid value"))


class DeviceLocation(OrganizationScoped, Base):
    organization_path = "device__organization"

    device = models.OneToOneField(Device, models.CASCADE, related_name="place")
    location = models.ForeignKey(Location, models.PROTECT, related_name="places")
    floor_plan = models.ForeignKey(
        FloorPlan, models.PROTECT, null=True, blank=True, related_name="places"
    )
    # Stored as sent: clients compare the value with what they sent.
    indoor = models.CharField(
        max_length=64,
        blank=True,
        validators=[valid_indoor],
        help_text=_(
            "Position on the floor plan as y,x in pixels. 0,0 is the top left corner, and y is negative below it."
        ),
    )

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.CheckConstraint(
                condition=Q(indoor="") | Q(floor_plan__isnull=False),
                name="indoor_needs_floor_plan",
                violation_error_message=_("Indoor coordinates need a floor plan."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.device} at {self.location}"

    def clean(self) -> None:
        if self.indoor and self.floor_plan is None:
            raise ValidationError(
                {
                    "indoor": gettext(
                        "Indoor coordinates are those of a point on a floor plan: name "
                        "the floor plan too."
                    )
                    if self.location.is_indoor
                    else gettext("An outdoor location has no indoor coordinates.")
                }
            )

    @property
    def coordinates(self) -> tuple[float, float] | None:
        """Return (y, x) on the floor plan, or None."""
        if not self.indoor:
            return None
        y, x = (float(part) for part in self.indoor.split(","))
        return y, x


class OrganizationGeoSettings(OrganizationOwned, Base):
    organization = models.OneToOneField(
        Organization, models.CASCADE, related_name="geo_settings"
    )
    estimated_location_enabled = models.BooleanField(
        default=False, help_text=_("Estimate the positions of devices from their IP addresses.")
    )

    class Meta:
        verbose_name = verbose_name_plural = _("organization's geographic settings")

    def __str__(self) -> str:
        return f"Geographic settings of {self.organization}"
