"""VPN servers together with the devices that are their clients."""

from typing import Any

from django.db import transaction

from controller.configs.models import Config
from controller.configs.rules.rendering import invalidate
from controller.vpn import rules as vpns
from controller.vpn.models import Vpn
from controller.vpn.rules.servers import TOLD_TO_CLIENTS


@transaction.atomic
def update_vpn(vpn: Vpn, /, **values: Any) -> Vpn:
    """Change a server; its clients are configured anew if that concerns them."""
    vpn = vpns.update_vpn(vpn, **values)
    if TOLD_TO_CLIENTS & values.keys():
        invalidate(Config.objects.filter(uses__template__vpn=vpn))
    return vpn


def follow_certificates() -> int:
    """Have the devices whose certificates or authorities were renewed configured anew."""
    devices = vpns.follow_certificates()
    return invalidate(Config.objects.filter(device__in=devices)) if devices else 0
