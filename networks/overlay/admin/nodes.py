"""Admin pages of overlay nodes and the relay."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, RuleForm, badge, display
from controller.configs.rules import overlay_sync
from controller.devices.models import Device
from networks.overlay import rules
from networks.overlay.admin.graph import online_badge
from networks.overlay.models import Node


class NodeForm(RuleForm):
    user: Any = None

    class Meta:
        model = Node
        fields = ["name", "device", "endpoint", "port", "is_fully_managed"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "device" in self.fields:
            field: Any = self.fields["device"]
            field.queryset = Device.objects.visible_to(self.user).filter(
                config__isnull=False, is_deactivated=False
            )

    def clean_endpoint(self) -> str:
        text: str = self.cleaned_data["endpoint"].strip()
        host, colon, port = text.rpartition(":")
        if text and not (host and colon and port.isdecimal()):
            raise forms.ValidationError(
                gettext("A host and a port, as in vpn.example.org:51820.")
            )
        return text

    def apply_rule(self) -> Node:
        values = self.rule_values()
        row: Node = self.row()
        if row.is_relay:
            return overlay_sync.set_relay(
                values["device"], by=self.user, endpoint=values["endpoint"], port=values["port"]
            )
        changed = {name: one for name, one in values.items() if name in self.changed_data}
        return rules.update_node(row, by=self.user, **changed)


@admin.register(Node)
class NodeAdmin(RuleAdmin):
    empty_hint = _("Devices appear here when they join an overlay network with a code.")
    search_rank = 3
    search_icon = "lan"
    resource = "network"
    form = NodeForm
    list_display = ["name", "address", "state", "owner", "where", "key_mode"]
    list_select_related = ["owner", "device"]
    search_fields = ["name", "address", "device__name"]
    ordering = ["-is_relay", "name"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Allow users to see the nodes of their networks and to change their own."""
        user: Any = request.user
        if not user.is_authenticated or not user.is_active or verb in {"create", "delete"}:
            return False
        if obj is None or verb == "read":
            return True
        return bool(user.is_superuser or obj.owner_id == user.pk)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is not None and obj.is_relay:
            return ["device", "endpoint", "port"]
        return ["name", "is_fully_managed", "endpoint", "port"]

    @display(description=_("State"))
    def state(self, obj: Node) -> str:
        return online_badge(obj)

    @display(description=_("Device"))
    def where(self, obj: Node) -> str:
        if obj.is_relay:
            return badge(
                gettext("Relay: %(value)s") % {"value": obj.device or gettext("none yet")},
                "busy",
            )
        return str(obj.device) if obj.device else "-"
