"""Subnet division rules, and rendering of the affected configurations."""

from typing import Any

from django.db import transaction

from controller.configs.models import Config
from controller.configs.rules.rendering import mark_stale
from controller.vpn import rules as vpns
from networks.ipam import rules as addresses
from networks.ipam.models import DivisionRule


@transaction.atomic
def create_division_rule(**values: Any) -> DivisionRule:
    """Create a division rule; it applies to new and existing devices."""
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
    """Delete a division rule and its subnets, unless VPN clients use their addresses."""
    addresses.delete_division_rule(rule)
    _refresh(rule)


def _refresh(rule: DivisionRule) -> None:
    rows = Config.objects.filter(device__organization=rule.organization_id, is_retired=False)
    if rule.type == DivisionRule.Type.VPN:
        rows = rows.filter(device__in=vpns.reprovision(rule.master_subnet_id))
    mark_stale(rows)
