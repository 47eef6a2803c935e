from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, action, display
from controller.base.changelist import relative_time
from controller.base.errors import Refused
from controller.monitoring.models import MonitoredGateway
from controller.monitoring.rules.gateway_measurements import add_to_inventory, choose_device


@admin.register(MonitoredGateway)
class MonitoredGatewayAdmin(RuleAdmin):
    """The device of the inventory that each gateway is, and how measuring it went."""

    empty_hint = _("Gateways are listed here once the portal has measured them.")
    resource = "monitoring"
    fields = ["device"]
    list_display = ["gateway", "device", "measured", "reason"]
    list_filter = [("gateway__organization", ScopedRelatedFilter)]
    search_fields = ["gateway__name", "device__name"]
    autocomplete_fields = ["device"]
    update_rule = staticmethod(choose_device)
    actions = ["add_devices"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("gateway__organization", "device")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @display(description=_("Measured"), ordering="measured_at")
    def measured(self, obj: MonitoredGateway) -> str:
        return relative_time(obj.measured_at) if obj.measured_at else gettext("never")

    @action(description=_("Add to the inventory"))
    def add_devices(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        user: Any = request.user
        for row in rows:
            if not user.has_perm_in("device:create", row.gateway.organization_id):
                messages.error(
                    request,
                    gettext("%(gateway)s: your role does not permit this.")
                    % {"gateway": row.gateway},
                )
                continue
            try:
                device = add_to_inventory(row)
            except Refused as error:
                messages.error(request, f"{row.gateway}: {error}")
            else:
                messages.success(
                    request, gettext("%(device)s is in the inventory now.") % {"device": device}
                )
