"""Admin pages of locations: list with map, floor plans and devices."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.admin.table_imports import ImportExportAdmin
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    RuleTabularInline,
    ScopedRelatedFilter,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminTextInputWidget,
    admin_url,
    badge,
    display,
)
from controller.devices.admin.badges import TONES, presence_badge
from controller.devices.models import Device, Presence
from geo.admin import maps
from geo.admin.import_export import LocationResource
from geo.models import DeviceLocation, FloorPlan, Location
from geo.rules import locations
from geo.rules.device_locations import place_device
from geo.rules.statistics import device_counts

SHOWN_DEVICES = 50


class LocationForm(RuleForm):
    geometry = maps.GeometryFormField(label=_("Position"), required=False)

    class Meta:
        model = Location
        fields = ["name", "organization", "type", "is_mobile", "address", "geometry"]
        widgets = {"address": UnfoldAdminTextInputWidget(attrs={"data-address": ""})}


class FloorPlanForm(RuleForm):
    image = forms.FileField(
        label=_("Image"), required=False, help_text=_("PNG, JPEG or WebP."),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": "image/png,image/jpeg,image/webp"}),
    )  # fmt: skip

    class Meta:
        model = FloorPlan
        fields = ["location", "floor"]

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        return {"location": self.instance.location} | values


class FloorPlanInline(RuleTabularInline):
    model = FloorPlan
    form = FloorPlanForm
    resource = "floorplan"
    fields = ["floor", "image", "plan"]
    readonly_fields = ["plan"]
    create_rule = locations.create_floor_plan
    update_rule = locations.update_floor_plan
    delete_rule = locations.delete_floor_plan
    ordering = ["floor"]

    @display(description=_("Devices"))
    def plan(self, obj: FloorPlan) -> str:
        if obj._state.adding:
            return "-"
        return format_html(
            '<a class="button" href="{}">Arrange devices</a>',
            admin_url(FloorPlan, "change", obj.pk),
        )


@admin.register(Location)
class LocationAdmin(ImportExportAdmin, RuleAdmin):
    empty_hint = _("Put devices on the map: add a location, or import a table.")
    search_rank = 9
    search_icon = "location_on"
    change_form_after_template = "portal/part_charts.html"
    resource = "location"
    form = LocationForm
    create_rule = locations.create_location
    update_rule = locations.update_location
    delete_rule = locations.delete_location
    resource_classes = [LocationResource]
    list_display = ["place", "organization", "kind", "devices"]
    list_filter = ["type", "is_mobile", ("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["name", "address"]
    search_help_text = _("Name or address")
    ordering = ["name"]
    fields = [("name", "organization"), ("type", "is_mobile"), "address", "geometry"]
    inlines = [FloorPlanInline]
    change_form_template = "admin/geo/location/change_form.html"
    list_before_template = "portal/fleet_map.html"

    @property
    def media(self) -> forms.Media:
        return super().media + maps.media("fleet-map.js")

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        shown = super().get_changelist_instance(request)
        counts = device_counts([row.pk for row in shown.result_list])
        for row in shown.result_list:
            row.counts = counts[row.pk]
        return shown

    @display(description=_("Location"), ordering="name")
    def place(self, obj: Location) -> str:
        return format_html(
            '<span class="two-lines">{}<small>{}</small></span>', obj.name, obj.address
        )

    @display(description=_("Type"), ordering="type")
    def kind(self, obj: Location) -> str:
        return (
            gettext("%(capitalize)s, moves") % {"capitalize": obj.type.capitalize()}
            if obj.is_mobile
            else obj.type.capitalize()
        )

    @display(description=_("Devices"))
    def devices(self, obj: Any) -> str:
        badges = [
            (badge(f"{obj.counts[state]} {state}", TONES[state]),)
            for state in Presence.State.values
            if obj.counts[state]
        ]
        return format_html(
            '<span class="badges">{}</span>', format_html_join("", "{}", badges) or "none"
        )

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(super().get_inlines(request, obj)) if obj and obj.is_indoor else []

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        response = super().changelist_view(request, *args, **kwargs)
        if hasattr(response, "context_data"):
            response.context_data |= {
                "ground": maps.ground(),
                "map_title": gettext("All locations"),
            }
        return response

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **kw: Any
    ) -> Any:
        location: Location | None = kw.get("obj")
        if location is not None:
            context |= {"location": location, "here": devices_at(location, request.user)}
        return super().render_change_form(request, context, *args, **kw)

    def response_add(
        self, request: HttpRequest, obj: Any, *args: Any, **kw: Any
    ) -> HttpResponse:
        """Assign the new location to the device it was created for, and return there."""
        response = super().response_add(request, obj, *args, **kw)
        device = self.waiting_device(request)
        if device is None:
            return response
        place_device(device, location=obj)
        return HttpResponseRedirect(admin_url(Device, "change", device.pk) + "#location")

    def waiting_device(self, request: HttpRequest) -> Device | None:
        try:
            wanted = UUID(request.GET.get("device", ""))
        except ValueError:
            return None
        device = Device.objects.visible_to(request.user).filter(pk=wanted).first()
        user: Any = request.user
        may = device is not None and user.has_perm_on("location:update", device)
        return device if may else None

    def deletion_effects(self, obj: Location) -> list[str]:
        count = obj.floor_plans.count()
        return (
            [gettext("%(count)s floor plans are deleted too.") % {"count": count}]
            if count
            else []
        )

    def get_urls(self) -> list[Any]:
        return [
            path("map/", self.admin_site.admin_view(self.map), name="geo_location_map"),
            *super().get_urls(),
        ]

    def map(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        return maps.fleet(request)


def devices_at(location: Location, user: Any) -> dict[str, Any]:
    rows: QuerySet[DeviceLocation] = (
        DeviceLocation.objects.visible_to(user)
        .filter(location=location, device__organization=location.organization_id)
        .select_related("device__presence", "floor_plan")
        .order_by("device__name")
    )
    return {
        "count": rows.count(),
        "rows": [
            {
                "name": place.device.name,
                "link": admin_url(Device, "change", place.device_id),
                "presence": presence_badge(place.device),
                "floor": ""
                if place.floor_plan is None
                else gettext("Floor %(floor)s") % {"floor": place.floor_plan.floor},
            }
            for place in rows[:SHOWN_DEVICES]
        ],
    }
