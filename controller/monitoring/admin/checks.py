from typing import Any

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, action, badge, display
from controller.base.errors import Refused
from controller.devices.models import Device
from controller.monitoring.models import Check
from controller.monitoring.rules import active_checks


@admin.register(Check)
class CheckAdmin(RuleAdmin):
    """Checks that the portal makes of devices besides pings."""

    empty_hint = _(
        "Pings need no check. Add one for a page, a name server, a port, SSH, or the bandwidth to an iperf3 server."
    )
    resource = "monitoring"
    list_display = ["name", "kind", "applies_to", "rhythm", "state"]
    list_filter = ["kind", ("organization", ScopedRelatedFilter)]
    search_fields = ["name"]
    autocomplete_fields = ["device"]
    create_rule = staticmethod(active_checks.create_check)
    update_rule = staticmethod(active_checks.update_check)
    delete_rule = staticmethod(active_checks.delete_check)
    actions = ["run_checks"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("organization", "group", "device")
        found: QuerySet[Any] = rows.annotate(
            bad=Count("runs", Q(runs__is_good=False)),
            ran=Count("runs", Q(runs__at__isnull=False)),
        )
        return found

    @display(description=_("Applies to"))
    def applies_to(self, obj: Check) -> str:
        return obj.target

    @display(description=_("Every"), ordering="seconds")
    def rhythm(self, obj: Check) -> str:
        if not obj.enabled:
            return gettext("off")
        return (
            gettext("%(seconds)s s") % {"seconds": obj.seconds}
            if obj.seconds
            else gettext("on demand")
        )

    @display(description=_("Last run"))
    def state(self, obj: Any) -> str:
        if not obj.ran:
            return badge(gettext("Not run yet"), "mute")
        if obj.bad:
            return badge(f"{obj.bad} of {obj.ran} failed", "bad")
        return badge(gettext("All good"), "good")

    @action(description=_("Run now"))
    def run_checks(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        user: Any = request.user
        for row in rows:
            if not user.has_perm_on("monitoring:update", row):
                messages.error(
                    request, gettext("%(row)s: your role does not permit this.") % {"row": row}
                )
                continue
            try:
                count = active_checks.run_now(row, Device.objects.visible_to(user))
            except Refused as error:
                messages.error(request, f"{row}: {error}")
            else:
                messages.success(
                    request,
                    gettext("%(row)s runs on %(count)s devices now.")
                    % {"row": row, "count": count},
                )
