"""Inline of a device's connections."""

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleForm, RuleStackedInline, badge, display
from controller.connections import rules
from controller.connections.models import Credentials, DeviceConnection


class ConnectionForm(RuleForm):
    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        values.pop("device", None)
        return values

    def apply_rule(self) -> Any:
        if self.instance._state.adding:
            return rules.connect(self.instance.device, **self.rule_values())
        return super().apply_rule()


class ConnectionInline(RuleStackedInline):
    model = DeviceConnection
    form = ConnectionForm
    resource = "connection"
    fields = [("credentials", "update_strategy"), ("enabled", "port"), "host_key", "last"]
    readonly_fields = ["last"]
    create_rule = rules.connect
    update_rule = rules.update_connection
    delete_rule = rules.disconnect
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super().get_queryset(request).select_related("credentials", "device__organization")
        )

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "credentials":
            kwargs["queryset"] = Credentials.objects.visible_to(request.user).only("name")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    @display(description=_("Last attempt"))
    def last(self, obj: DeviceConnection) -> str:
        if obj.last_attempt is None:
            return badge(gettext("Not tried yet"), "mute")
        shown = (
            badge(gettext("Working"), "good")
            if obj.is_working
            else badge(gettext("Failed"), "bad")
        )
        when = obj.last_attempt.strftime("%Y-%m-%d %H:%M:%S %Z")
        return format_html(
            "{} {} <span class='subtle'>{}</span>", shown, obj.failure_reason, when
        )
