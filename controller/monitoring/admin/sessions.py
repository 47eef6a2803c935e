from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import ScopedAdmin, ScopedRelatedFilter, display
from controller.base.changelist import relative_time
from controller.monitoring.models import WifiSession
from controller.monitoring.rules.latest_reports import vendor_of


@admin.register(WifiSession)
class WifiSessionAdmin(ScopedAdmin):
    empty_hint = _("Access points that report their Wi-Fi clients fill this list.")
    resource = "monitoring"
    list_display = ["mac_address", "vendor", "device", "ssid", "start_time", "stopped"]
    list_filter = [("device__organization", ScopedRelatedFilter)]
    search_fields = ["mac_address", "ssid", "device__name"]
    ordering = ["-start_time"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("device")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("Made by"))
    def vendor(self, obj: WifiSession) -> str:
        return vendor_of(obj.mac_address) or "-"

    @display(description=_("Disconnected"), ordering="stop_time")
    def stopped(self, obj: WifiSession) -> str:
        return relative_time(obj.stop_time) if obj.stop_time else gettext("connected")
