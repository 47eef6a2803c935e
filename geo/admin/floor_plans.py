"""Admin pages of floor plans, with devices to drag into position."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, admin_url, display
from controller.devices.models import Device, Presence
from geo.admin import maps
from geo.admin.locations import FloorPlanForm
from geo.models import DeviceLocation, FloorPlan
from geo.rules import locations

# Limit of the list of devices; larger locations need the API.
MOST_DEVICES = 500


@admin.register(FloorPlan)
class FloorPlanAdmin(RuleAdmin):
    empty_hint = _(
        "A floor plan is an image on which devices are placed. Add one to an indoor location."
    )
    search_rank = 10
    search_icon = "floor"
    resource = "floorplan"
    form = FloorPlanForm
    create_rule = locations.create_floor_plan
    update_rule = locations.update_floor_plan
    delete_rule = locations.delete_floor_plan
    list_display = ["plan", "organization", "size", "devices"]
    list_filter = [("location__organization", ScopedRelatedFilter)]
    list_select_related = ["location__organization"]
    search_fields = ["location__name"]
    ordering = ["location__name", "floor"]
    autocomplete_fields = ["location"]
    fields = ["location", "floor", "image"]
    change_form_template = "admin/geo/floorplan/change_form.html"

    @property
    def media(self) -> Any:
        return super().media + maps.media("floor-plan.js")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("location__organization")
        return rows.annotate(device_count=Count("places"))

    @display(description=_("Floor plan"), ordering="location__name")
    def plan(self, obj: FloorPlan) -> str:
        return format_html(
            '<span class="two-lines">{}<small>Floor {}</small></span>',
            obj.location.name,
            obj.floor,
        )

    @display(description=_("Organization"), ordering="location__organization__name")
    def organization(self, obj: FloorPlan) -> str:
        return str(obj.location.organization)

    @display(description=_("Size"))
    def size(self, obj: FloorPlan) -> str:
        return gettext("%(width)s by %(height)s pixels") % {
            "width": obj.width,
            "height": obj.height,
        }

    @display(description=_("Devices"), ordering="device_count")
    def devices(self, obj: Any) -> int:
        return int(obj.device_count)

    def deletion_effects(self, obj: FloorPlan) -> list[str]:
        count = obj.places.count()
        return (
            [gettext("%(count)s devices stay at the location.") % {"count": count}]
            if count
            else []
        )

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        plan: FloorPlan | None = kw.get("obj")
        if plan is not None:
            user: Any = request.user
            context["plan"] = plan
            context["board"] = board(
                plan,
                DeviceLocation.objects.filter(location=plan.location).visible_to(user),
                movable=user.has_perm_in("location:update", plan.owner_id),
            )
        return super().render_change_form(request, context, *args, **kw)


def board(
    plan: FloorPlan, places: QuerySet[DeviceLocation], *, movable: bool
) -> dict[str, Any]:
    """Return the floor plan's image and devices as data for the browser."""
    rows = (
        places.filter(device__organization=plan.location.organization_id)
        .select_related("device__presence")
        .order_by("device__name")[:MOST_DEVICES]
    )
    return {
        "id": str(plan.pk),
        "image": reverse("floor-plan-image", args=[plan.pk, plan.kind]),
        "width": plan.width,
        "height": plan.height,
        "movable": movable,
        "devices": [
            {
                "id": str(place.device_id),
                "name": place.device.name,
                "state": place.device.presence.state
                if hasattr(place.device, "presence")
                else Presence.State.UNKNOWN,
                "link": admin_url(Device, "change", place.device_id),
                "save": f"/api/v1/controller/device/{place.device_id}/location/",
                "at": place.coordinates if place.floor_plan_id == plan.pk else None,
                "elsewhere": place.floor_plan_id not in {None, plan.pk},
            }
            for place in rows
        ],
    }
