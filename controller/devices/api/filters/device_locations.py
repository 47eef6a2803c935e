"""Spatial filters by box, distance or polygon, for rows with a location."""

from typing import Any, ClassVar

from django import forms
from django.db.models import QuerySet
from django_filters import rest_framework as filters

from controller.base.errors import Refused
from geo.models import in_area, in_box, near
from geo.rules import geometry

HALF_AROUND_THE_EARTH = 20_050_000
DEFAULT_METERS = 1000


class ReadField(forms.CharField):
    """Text field parsed by a rule; a refusal becomes the field's error."""

    read: ClassVar[Any]

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if not text:
            return None
        try:
            return type(self).read(text)
        except Refused as error:
            raise forms.ValidationError(str(error)) from error


class BoxField(ReadField):
    read = staticmethod(geometry.box)


class PointField(ReadField):
    read = staticmethod(geometry.point)


class AreaField(ReadField):
    read = staticmethod(geometry.area)


class BoxFilter(filters.Filter):
    field_class = BoxField


class PointFilter(filters.Filter):
    field_class = PointField


class AreaFilter(filters.Filter):
    field_class = AreaField


class PlaceFilter(filters.FilterSet):
    """Mixin of spatial filters; ``geometry_path`` is the lookup path to the geometry."""

    geometry_path: ClassVar[str] = "geometry"

    in_bbox = BoxFilter(
        method="by_box",
        help_text="west,south,east,north in degrees; with its west east of its east, it spans "
        "the date line.",
    )
    in_polygon = AreaFilter(
        method="by_area", help_text="A Polygon or MultiPolygon, as GeoJSON or WKT."
    )
    point = PointFilter(method="by_distance", help_text="longitude,latitude in degrees.")
    dist = filters.NumberFilter(
        method="only_with_point",
        min_value=0,
        max_value=HALF_AROUND_THE_EARTH,
        help_text=f"Meters from the point at most; {DEFAULT_METERS} if it is not named.",
    )

    def by_box(self, rows: QuerySet[Any], _: str, value: Any) -> QuerySet[Any]:
        return rows.filter(in_box(self.geometry_path, value))

    def by_area(self, rows: QuerySet[Any], _: str, value: Any) -> QuerySet[Any]:
        return rows.filter(in_area(self.geometry_path, value))

    def by_distance(self, rows: QuerySet[Any], _: str, value: Any) -> QuerySet[Any]:
        meters = self.form.cleaned_data.get("dist")
        meters = DEFAULT_METERS if meters is None else meters
        return near(rows, self.geometry_path, value, float(meters))

    def only_with_point(self, rows: QuerySet[Any], _: str, value: Any) -> QuerySet[Any]:
        return rows

    def is_valid(self) -> bool:
        super().is_valid()
        values = getattr(self.form, "cleaned_data", {})
        lonely = values.get("dist") is not None and not values.get("point")
        if lonely and "point" not in self.form.errors:
            self.form.add_error("dist", "A distance is from a point: name it as point=.")
        return bool(self.form.is_valid())
