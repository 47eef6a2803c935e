"""VPN servers, subnets and addresses together with the clients' configurations."""

from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.configs.models import Config
from controller.configs.rules.rendering import mark_stale
from controller.vpn import rules as vpns
from controller.vpn.models import Vpn, VpnClient
from controller.vpn.rules.servers import TOLD_TO_CLIENTS, moved_network
from networks.ipam import rules as addresses
from networks.ipam.models import IpAddress, Subnet


def update_vpn(vpn: Vpn, /, **values: Any) -> Vpn:
    """Update a server; its clients are rendered again if affected.

    A new controller is asked before the transaction.
    """
    with moved_network(vpn, values) as network, transaction.atomic():
        vpn = vpns.update_vpn(vpn, network=network, **values)
        if TOLD_TO_CLIENTS & values.keys():
            mark_stale(Config.objects.filter(uses__template__vpn=vpn))
    return vpn


@transaction.atomic
def update_subnet(subnet: Subnet, /, **values: Any) -> Subnet:
    """Update a subnet; servers in it and their clients are rendered again."""
    before = subnet.subnet
    subnet = addresses.update_subnet(subnet, **values)
    if subnet.subnet != before:
        Vpn.objects.filter(subnet=subnet).touch()
        mark_stale(Config.objects.filter(uses__template__vpn__subnet=subnet))
    return subnet


@transaction.atomic
def update_address(row: IpAddress, /, **values: Any) -> IpAddress:
    """Update an address; the server or client that has it is rendered again.

    Raises Refused if it would leave the subnet of its server or client.
    """
    before = str(row.ip_address), row.subnet_id
    row = addresses.update_address(row, **values)
    if (str(row.ip_address), row.subnet_id) == before:
        return row
    servers = Vpn.objects.filter(Q(ip=row) | Q(clients__ip=row))
    if row.subnet_id != before[1] and servers.exists():
        raise Refused(
            {"subnet": [gettext("A VPN server or client has it, so it stays in its subnet.")]}
        )
    VpnClient.objects.filter(ip=row).update(is_told=False)
    Vpn.objects.filter(pk__in=[one.pk for one in servers]).touch()
    mark_stale(
        Config.objects.filter(
            Q(device__vpn_clients__ip=row) | Q(uses__template__vpn__ip=row)
        ).distinct()
    )
    return row


def follow_certificates() -> int:
    """Re-render devices whose client or CA certificate was renewed."""
    devices = vpns.follow_certificates()
    return mark_stale(Config.objects.filter(device__in=devices)) if devices else 0
