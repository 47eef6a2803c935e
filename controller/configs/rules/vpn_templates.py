"""Templates that make devices clients of VPN servers."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Conflict, Refused
from controller.configs.models import Config, Template
from controller.devices.models import Device
from controller.vpn import rules as vpns
from controller.vpn.engine.clients import variable
from controller.vpn.models import Vpn, VpnClient
from networks.ipam import rules as addresses
from networks.ipam.models import Division, DivisionRule
from networks.overlay.rules.members import leave_all as overlay_part

Layer = tuple[str, Mapping[str, Any]]


def contents(template: Template) -> dict[str, Any]:
    """Return a template's configuration; an empty VPN template uses its server's default."""
    stored: dict[str, Any] = template.config
    if stored or template.vpn is None:
        return stored
    return vpns.client_config(template.vpn, automatic=template.auto_cert)


def server_layers(templates: Iterable[Template]) -> list[Layer]:
    """Return low-precedence variables of the templates' VPN servers.

    They are identical for every device.
    """
    return [
        (f"server of template {one.name}", vpns.server_variables(one.vpn))
        for one in templates
        if one.vpn is not None
    ]


def placeholders(vpn: Vpn) -> dict[str, str]:
    """Return dummy addresses that let a VPN template validate without a device."""
    if vpn.subnet is None or vpn.subnet.network.version == 4:  # noqa: PLR2004 - IPv4
        return {}
    return {variable("ip_address", vpn.pk.hex): "2001:db8::1"}


def client_layers(device: Device) -> list[Layer]:
    """Return high-precedence variables of the device's own VPN clients."""
    if device._state.adding:
        return []
    return [
        (f"VPN {one.vpn.name}", vpns.server_variables(one.vpn) | vpns.client_variables(one))
        for one in device.vpn_clients.all()
    ]


def division_layer(device: Device) -> Layer:
    """Return the variables of the subnets assigned to this device."""
    return ("subnets", {} if device._state.adding else addresses.variables_of(device))


def check(template: Template, organization: Organization | None) -> None:
    """Raise Refused unless a VPN template has a usable server and others have none."""
    if template.type != Template.Type.VPN:
        if template.vpn is not None:
            text = "A generic template has no VPN server: leave it out, or choose the type vpn."
            raise Refused({"vpn": [text]})
        return
    if template.vpn is None:
        raise Refused({"vpn": [gettext("A VPN must be selected when template type is VPN")]})
    if template.vpn.organization_id not in {None, organization.pk if organization else None}:
        text = (
            "Please ensure that the organization of this template and the organization of the "
            "related VPN server match."
        )
        raise Refused({"organization": [text]})


def check_once(templates: Sequence[Template]) -> None:
    """Raise Refused if two templates refer to the same VPN server."""
    seen: dict[UUID, Template] = {}
    for template in templates:
        if template.vpn_id is None:
            continue
        other = seen.setdefault(template.vpn_id, template)
        if other != template:
            text = (
                "You cannot select two VPN templates related to the same VPN server: "
                f"{other.name} and {template.name}."
            )
            raise Refused({"config": [text]})


def set_clients(config: Config, templates: Sequence[Template]) -> None:
    """Make the device a client of exactly the servers of these templates."""
    wanted = {one.vpn_id: one.auto_cert for one in templates if one.vpn_id is not None}
    vpns.set_clients(config.device, wanted)


def leave_all(device: Device) -> None:
    """Remove the device from all servers and networks and release its subnets."""
    vpns.remove_clients(VpnClient.objects.filter(device=device))
    addresses.take_back(Division.objects.filter(device=device))
    overlay_part(device)


def add_clients(template: Template, config_ids: Collection[UUID]) -> None:
    if template.vpn_id is not None:
        devices = Config.objects.filter(pk__in=config_ids).values_list("device", flat=True)
        vpns.add_clients(template.vpn_id, list(devices), auto_cert=template.auto_cert)


def remove_clients(vpn: Vpn | None, config_ids: Collection[UUID]) -> None:
    if vpn is not None:
        vpns.remove_clients(VpnClient.objects.filter(vpn=vpn, device__config__in=config_ids))


def provision(config_ids: Collection[UUID]) -> dict[UUID, Refused]:
    """Provision VPN clients and subnets. Returns device → Refused for failures."""
    rows = Config.objects.filter(pk__in=config_ids, is_retired=False)
    owners = dict(rows.values_list("device", "device__organization"))
    return vpns.provision(owners.keys()) | _divide(owners)


def _divide(owners: Mapping[UUID, UUID]) -> dict[UUID, Refused]:
    """Assign subnets to devices by the rules of their organization."""
    refused: dict[UUID, Refused] = {}
    for rule in addresses.rules_for(DivisionRule.Type.DEVICE):
        mine = [device for device, owner in owners.items() if owner == rule.organization_id]
        try:
            addresses.divide(rule, mine)
        except Refused as refusal:
            refused |= dict.fromkeys(mine, refusal)
    return refused


@transaction.atomic
def move(template: Template, before: Template) -> None:
    """Move a template's devices to another server or type of provisioning."""
    if (template.vpn_id, template.auto_cert) == (before.vpn_id, before.auto_cert):
        return
    configs = list(template.uses.values_list("config_id", flat=True))
    twins = Template.objects.filter(vpn=template.vpn_id, uses__config__in=configs)
    if template.vpn_id is not None and twins.exclude(pk=template.pk).exists():
        raise Conflict(gettext("Some of its devices have another template of this VPN server."))
    remove_clients(before.vpn, configs)
    add_clients(template, configs)
