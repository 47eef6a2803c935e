from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import path
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, display
from controller.monitoring.admin.topology import topology_page
from controller.monitoring.models import MonitoredDevice
from controller.monitoring.rules.uplinks import set_uplink


@admin.register(MonitoredDevice)
class MonitoredDeviceAdmin(RuleAdmin):
    """What leads a device to the portal; all else of the row follows from measurements."""

    empty_hint = _("Devices appear here after their first measurement.")
    resource = "monitoring"
    fields = ["uplink"]
    list_display = ["device", "uplink", "origin"]
    list_filter = [("device__organization", ScopedRelatedFilter)]
    search_fields = ["device__name", "uplink__name"]
    autocomplete_fields = ["uplink"]
    update_rule = staticmethod(set_uplink)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("device", "uplink")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [path("topology/", view(topology_page), name="topology"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("Set by"))
    def origin(self, obj: MonitoredDevice) -> str:
        return gettext("its reports") if obj.uplink_is_found else gettext("a person")
