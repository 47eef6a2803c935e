"""Admin of firmware policies and of trusted keys."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin, ScopedRelatedFilter, badge, display
from controller.firmware.models import FirmwarePolicy, TrustedKey
from controller.firmware.rules import policies


@admin.register(FirmwarePolicy)
class FirmwarePolicyAdmin(RuleAdmin):
    empty_hint = _(
        "Without a policy, signatures are not required and nobody approves upgrades."
    )
    resource = "firmware"
    create_rule = policies.create_policy
    update_rule = policies.update_policy
    delete_rule = staticmethod(lambda row: row.delete())
    fields = [
        "organization", "signatures", "needs_approval", "backup", "may_stop_services",
        "watch_minutes",
    ]  # fmt: skip
    list_display = ["organization", "signatures", "needs_approval", "backup"]
    list_select_related = ["organization"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["organization"] if obj else []


@admin.register(TrustedKey)
class TrustedKeyAdmin(RuleAdmin):
    empty_hint = _("Public keys that your builds are signed with, as usign has them.")
    resource = "firmware"
    create_rule = policies.add_key
    delete_rule = policies.remove_key
    fields = ["organization", "name", "public_key"]
    list_display = ["name", "owner", "created"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization"]
    search_fields = ["name"]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None and self.may(request, "update", obj)

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: TrustedKey) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")
