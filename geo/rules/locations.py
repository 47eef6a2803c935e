"""Locations and their floor plans: create, change and delete."""

from typing import IO, Any, TypedDict, cast

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext, ngettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from controller.base.events import Event, event_for, publish_on_commit
from geo.engine.images import NotAPicture, Picture, cleaned
from geo.models import DeviceLocation, FloorPlan, FloorPlanImage, Location
from geo.rules.geometry import as_geojson

# Range of the database column (smallint).
HIGHEST_FLOOR = 32767
# The event of a location that was added or changed.
CHANGED = "location.changed"


class FloorPlanValues(TypedDict, total=False):
    floor: int
    image: IO[bytes] | None


@transaction.atomic
def create_location(*, floorplan: FloorPlanValues | None = None, **values: Any) -> Location:
    """Create a location, with a floor plan if given (indoor locations only)."""
    row = Location(**values).checked()
    _check_floors(row, floorplan)
    row.save()
    publish_on_commit(lambda: [_change_of(row)])
    if floorplan:
        _put_floor_plan(row, floorplan)
    return row


def _change_of(row: Location) -> Event:
    return event_for(
        row, CHANGED, "location:read",
        geometry=as_geojson(row.geometry), address=row.address, name=row.name, type=row.type,
        is_mobile=row.is_mobile,
    )  # fmt: skip


def _check_floors(row: Location, floorplan: FloorPlanValues | None) -> None:
    if floorplan and not row.is_indoor:
        raise Refused(
            {
                "floorplan": [
                    gettext("Floor plans are of indoor locations; this one is outdoor.")
                ]
            }
        )


@transaction.atomic
def update_location(
    location: Location, *, floorplan: FloorPlanValues | None = None, **values: Any
) -> Location:
    """Change a location. If it becomes outdoor, its floor plans are deleted.

    ``floorplan`` changes the plan of the named floor, or else the first; if there are no
    plans, it is added.
    """
    organization = values.get("organization", location.organization)
    if organization.pk != location.organization_id and location.places.exists():
        raise Refused(
            {
                "organization": [
                    gettext("A location with devices cannot move to another organization.")
                ]
            }
        )
    for name, value in values.items():
        setattr(location, name, value)
    location.checked()
    _check_floors(location, floorplan)
    location.save()
    publish_on_commit(lambda: [_change_of(location)])
    if not location.is_indoor:
        location.places.exclude(floor_plan=None).update(floor_plan=None, indoor="")
        location.floor_plans.all().delete()
    if floorplan:
        _put_floor_plan(location, floorplan)
    return location


def _put_floor_plan(location: Location, values: FloorPlanValues) -> None:
    """Change the plan of the named floor, or else the first, or add one."""
    plans = location.floor_plans.order_by("floor", "created")
    plan = plans.filter(floor=values["floor"]).first() if "floor" in values else None
    plan = plan or plans.first()
    try:
        if plan is None:
            create_floor_plan(location=location, **values)
        else:
            update_floor_plan(plan, **values)
    except Refused as error:
        raise under("floorplan", error) from error


def under(field: str, error: Refused) -> Refused:
    """Move a nested object's errors under the name of its field."""
    return Refused(
        {
            field: [
                text if name in {"__all__", field} else f"{name}: {text}"
                for name, texts in error.by_field.items()
                for text in texts
            ]
        }
    )


def delete_location(location: Location) -> None:
    """Delete a location with its floor plans. Raises Conflict if it has devices."""
    count = location.places.count()
    if count:
        raise Conflict(
            ngettext(
                "%(count)s device stands at %(location)s. Move it elsewhere before you delete "
                "the location.",
                "%(count)s devices stand at %(location)s. Move them elsewhere before you "
                "delete the location.",
                count,
            )
            % {"count": count, "location": location.name}
        )
    location.delete()


@transaction.atomic
def create_floor_plan(
    *, location: Location, floor: int | None = None, image: IO[bytes] | None = None
) -> FloorPlan:
    """Create a floor plan of an indoor location. The image is re-encoded."""
    missing = {
        name: [text]
        for name, value, text in (
            ("floor", floor, "This field is required."),
            ("image", image, "No file was submitted."),
        )
        if value is None
    }
    if missing:
        raise Refused(missing)
    plan = FloorPlan(location=location)
    plan.floor = cast(int, floor)
    return _save(plan, picture_of(image))


@transaction.atomic
def update_floor_plan(
    plan: FloorPlan, *, image: IO[bytes] | None = None, **values: Any
) -> FloorPlan:
    location: Location = values.get("location", plan.location)
    if location.pk != plan.location_id and plan.places.exists():
        raise Refused(
            {
                "location": [
                    gettext("A floor plan with devices cannot move to another location.")
                ]
            }
        )
    for name, value in values.items():
        setattr(plan, name, value)
    return _save(plan, None if image is None else picture_of(image))


def _save(plan: FloorPlan, picture: Picture | None) -> FloorPlan:
    if not plan.location.is_indoor:
        raise Refused(
            {"location": [gettext("Floor plans are of indoor locations; this one is outdoor.")]}
        )
    if picture is not None:
        plan.kind, plan.width, plan.height = picture.kind, picture.width, picture.height
    plan.checked().save()
    if picture is not None:
        FloorPlanImage.objects.update_or_create(
            floor_plan=plan, defaults={"data": picture.data}
        )
    return plan


def picture_of(upload: Any) -> Picture:
    """Return the uploaded image, sanitized.

    Raises :class:`Refused` if it is invalid or too large.
    """
    limit = settings.MUSTER_IMAGE_BYTES
    raw = upload.read(limit + 1)
    if len(raw) > limit:
        raise Refused(
            {
                "image": [
                    gettext("The file is larger than %(limit)s KiB.")
                    % {"limit": format(limit // 1024, ",")}
                ]
            }
        )
    try:
        return cleaned(raw, max_pixels=settings.MUSTER_IMAGE_PIXELS)
    except NotAPicture as error:
        raise Refused({"image": [str(error)]}) from None


@transaction.atomic
def delete_floor_plan(plan: FloorPlan) -> None:
    """Delete a floor plan. Its devices stay at the location."""
    plan.places.update(floor_plan=None, indoor="")
    plan.delete()


def placed_on_plans(user: User, location: Location) -> QuerySet[Any]:
    """Return the positions of the devices on the location's floor plans that the user sees."""
    rows = DeviceLocation.objects.visible_to(user).filter(
        location=location, device__organization=location.organization_id
    )
    found: QuerySet[Any] = rows.exclude(floor_plan=None).exclude(indoor="")
    return found.select_related("device", "location", "floor_plan")


def floors_of(placed: QuerySet[Any]) -> list[int]:
    return sorted(placed.order_by().values_list("floor_plan__floor", flat=True).distinct())


def floor_to_show(floors: list[int]) -> int | None:
    """Return the ground floor or the lowest above it, otherwise the highest below."""
    above = [floor for floor in floors if floor >= 0]
    return min(above) if above else max(floors, default=None)
