"""Rules that give devices subnets, together with the configurations that speak of them."""

from typing import Any

from django.db import transaction

from controller.configs.models import Config
from controller.configs.rules.rendering import mark_stale
from controller.vpn import rules as vpns
from networks.ipam import rules as addresses
from networks.ipam.models import DivisionRule


@transaction.atomic
def create_division_rule(**values: Any) -> DivisionRule:
    """From now on, and for the devices that are there."""
    rule = addresses.create_division_rule(**values)
    _refresh(rule)
    return rule


@transaction.atomic
def update_division_rule(rule: DivisionRule, /, **values: Any) -> DivisionRule:
    rule = addresses.update_division_rule(rule, **values)
    _refresh(rule)
    return rule


@transaction.atomic
def delete_division_rule(rule: DivisionRule) -> None:
    """What it gave is taken back, unless VPN clients have their address from it."""
    addresses.delete_division_rule(rule)
    _refresh(rule)


def _refresh(rule: DivisionRule) -> None:
    rows = Config.objects.filter(device__organization=rule.organization_id, is_retired=False)
    if rule.type == DivisionRule.Type.VPN:
        rows = rows.filter(device__in=vpns.reprovision(rule.master_subnet_id))
    mark_stale(rows)
