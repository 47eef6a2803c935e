"""Admin pages of subnets, their utilization and their addresses."""

from math import log2
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    RuleTabularInline,
    ScopedRelatedFilter,
    admin_url,
    badge,
    display,
)
from controller.base.forms import NO_ROLE_THERE
from controller.configs.rules import subnet_division, vpn_servers
from networks.ipam import rules
from networks.ipam.models import DivisionRule, IpAddress, Subnet

NEARLY_FULL = 0.9


class SubnetForm(RuleForm):
    class Meta:
        model = Subnet
        fields = ["name", "organization", "subnet", "master_subnet", "description"]


class DivisionForm(RuleForm):
    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        values.pop("master_subnet", None)
        return values

    def apply_rule(self) -> Any:
        if self.instance._state.adding:
            subnet = self.instance.master_subnet
            return subnet_division.create_division_rule(
                master_subnet=subnet, **self.rule_values()
            )
        return super().apply_rule()


class DivisionInline(RuleTabularInline):
    """Division rules, by which devices get parts of the subnet."""

    model = DivisionRule
    form = DivisionForm
    resource = "subnet"
    fields = ["organization", "type", "label", "number_of_subnets", "size", "number_of_ips"]
    create_rule = subnet_division.create_division_rule
    update_rule = subnet_division.update_division_rule
    delete_rule = subnet_division.delete_division_rule


@admin.register(Subnet)
class SubnetAdmin(RuleAdmin):
    empty_hint = _("A subnet assigns addresses to VPN clients and devices.")
    search_rank = 14
    search_icon = "lan"
    resource = "subnet"
    form = SubnetForm
    create_rule = rules.create_subnet
    update_rule = vpn_servers.update_subnet
    delete_rule = rules.delete_subnet
    list_display = ["name", "subnet", "owner", "taken", "master_subnet"]
    list_filter = [("organization", ScopedRelatedFilter)]
    list_select_related = ["organization", "master_subnet"]
    search_fields = ["name", "subnet", "description"]
    ordering = ["first", "last"]
    inlines = [DivisionInline]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        general = ("name", "organization"), ("subnet", "master_subnet"), "description"
        shown = [(None, {"fields": general})]
        return shown if obj is None else [*shown, (gettext("Addresses"), {"fields": ["usage"]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["usage"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(address_count=Count("addresses"))

    @display(description=_("Organization"), ordering="organization__name")
    def owner(self, obj: Subnet) -> str:
        return str(obj.organization) if obj.organization else badge(gettext("Shared"), "busy")

    @display(description=_("Addresses"), ordering="address_count")
    def taken(self, obj: Any) -> str:
        total = obj.hosts.count
        text = gettext("%(used)s of %(total)s") % {
            "used": obj.address_count,
            "total": as_count(total),
        }
        return badge(text, "warn") if obj.address_count > total * NEARLY_FULL else text

    @display(description=_("Used"))
    def usage(self, obj: Subnet) -> str:
        found = rules.allocation(obj)
        return format_html(
            '{} <a href="{}">{}</a>',
            gettext(
                "%(used)s of %(total)s used, %(reserved)s reserved for its parts, %(free)s free. "
                "Next address: %(next)s."
            )
            % {
                "used": found.used,
                "total": as_count(found.total),
                "reserved": as_count(found.reserved),
                "free": as_count(found.available),
                "next": rules.next_free(obj) or gettext("none"),
            },
            f"{admin_url(IpAddress, 'changelist')}?subnet__id__exact={obj.pk}",
            gettext("Show addresses"),
        )

    def deletion_effects(self, obj: Subnet) -> list[str]:
        parts, taken = obj.child_subnets.count(), obj.addresses.count()
        return (
            [
                gettext("%(parts)s smaller subnets and %(taken)s addresses are deleted too.")
                % {"parts": parts, "taken": taken}
            ]
            if parts or taken
            else []
        )


def as_count(number: int) -> str:
    """Return a number, or a power of two if it is too large to read."""
    return str(number) if number < 1 << 20 else f"2^{round(log2(number))}"


class AddressForm(RuleForm):
    class Meta:
        model = IpAddress
        fields = ["subnet", "ip_address", "description"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding and "ip_address" in self.fields:
            self.fields["ip_address"].required = False
            self.fields["ip_address"].help_text = gettext("Left empty, the next that is free.")

    def clean(self) -> dict[str, Any]:
        values = super().clean()
        subnet = values.get("subnet")
        if subnet is not None and not type(self).may_in(subnet.organization_id):
            self.add_error("subnet", NO_ROLE_THERE)
        return values

    def apply_rule(self) -> Any:
        values = self.rule_values()
        if self.instance._state.adding and not values["ip_address"]:
            (row,) = rules.allocate(values["subnet"], descriptions=[values["description"]])
            return row
        return super().apply_rule()

    def _get_validation_exclusions(self) -> Any:
        # Empty means the next free address here; the model's field is required.
        return {*super()._get_validation_exclusions(), "ip_address"}  # type: ignore[misc]


@admin.register(IpAddress)
class IpAddressAdmin(RuleAdmin):
    empty_hint = _(
        "Subnets assign addresses to VPN clients and devices. Addresses can also be reserved here."
    )
    search_rank = 15
    search_icon = "pin"
    resource = "address"
    form = AddressForm
    create_rule = rules.add_address
    update_rule = vpn_servers.update_address
    delete_rule = rules.delete_address
    delete_rows_rule = rules.delete_addresses
    list_display = ["ip_address", "subnet", "user", "description", "created"]
    list_filter = [("subnet", ScopedRelatedFilter)]
    list_select_related = ["subnet__organization", "vpn", "vpn_client__device"]
    search_fields = ["ip_address", "description"]
    ordering = ["number"]
    fields = ["subnet", "ip_address", "description"]

    @display(description=_("Used by"))
    def user(self, obj: IpAddress) -> str:
        for name in ("vpn", "vpn_client"):
            found = getattr(obj, name, None)
            if found is not None:
                row = found if name == "vpn" else found.device
                return format_html(
                    '<a href="{}">{}</a>', admin_url(type(row), "change", row.pk), row
                )
        return "-"
