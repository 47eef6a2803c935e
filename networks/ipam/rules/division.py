"""Subnet division: assign subnets to devices by rules, and release them."""

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from controller.devices.models import Device
from networks.ipam.engine import addresses
from networks.ipam.engine.addresses import Network
from networks.ipam.models import Division, DivisionRule, IpAddress, Subnet
from networks.ipam.rules.addresses import locked, taken_ranges

FROZEN = ("size", "number_of_subnets", "master_subnet", "type", "organization")


@transaction.atomic
def create_division_rule(**values: Any) -> DivisionRule:
    rule = DivisionRule(**values)
    _check(rule).save()
    return rule


@transaction.atomic
def update_division_rule(rule: DivisionRule, /, **values: Any) -> DivisionRule:
    """Rename a rule or raise its addresses per device. Assigned subnets are kept."""
    for name in FROZEN:
        if name in values and values[name] != getattr(rule, name):
            raise Refused({name: [gettext("It stays as it is: make another rule instead.")]})
    if values.get("number_of_ips", rule.number_of_ips) < rule.number_of_ips:
        raise Refused(
            {"number_of_ips": [gettext("Devices may have more addresses, and not fewer.")]}
        )
    for name, value in values.items():
        setattr(rule, name, value)
    _check(rule).save()
    for division in rule.divisions.select_related("subnet"):
        division.subnet.name = _name(rule, division.position)
        division.subnet.save(update_fields=["name", "first", "last", "subnet"])
    _address(rule, [one.subnet for one in rule.divisions.select_related("subnet")])
    return rule


@transaction.atomic
def delete_division_rule(rule: DivisionRule) -> None:
    take_back(rule.divisions.all())
    rule.delete()


def _check(rule: DivisionRule) -> DivisionRule:
    rule.checked()
    master = rule.master_subnet
    if master.organization_id not in {None, rule.organization_id}:
        raise Refused({"master_subnet": [gettext("It is of another organization.")]})
    net = master.network
    if not net.prefixlen < rule.size <= net.max_prefixlen:
        text = f"It is longer than that of {net}, and at most {net.max_prefixlen}."
        raise Refused({"size": [text]})
    room = 1 << (net.max_prefixlen - rule.size)
    if rule.number_of_ips > room:
        raise Refused(
            {
                "number_of_ips": [
                    gettext("A subnet of this size has %(room)s addresses.") % {"room": room}
                ]
            }
        )
    return rule


def rules_for(kind: str, subnets: Collection[UUID] | None = None) -> list[DivisionRule]:
    found = DivisionRule.objects.filter(type=kind).select_related("master_subnet")
    return list(found if subnets is None else found.filter(master_subnet__in=subnets))


def divide(rule: DivisionRule, device_ids: Iterable[UUID]) -> None:
    """Assign subnets to devices that have none of this rule. Raises Refused if full."""
    wanted = list(device_ids)
    if _lacking(rule, wanted):
        with transaction.atomic():
            master = locked(rule.master_subnet)
            # Another worker may have divided it while this one waited for the lock.
            _divide(rule, master, _lacking(rule, wanted))


def _lacking(rule: DivisionRule, device_ids: list[UUID]) -> list[UUID]:
    have = set(rule.divisions.filter(device__in=device_ids).values_list("device", flat=True))
    return [pk for pk in device_ids if pk not in have]


def _divide(rule: DivisionRule, master: Subnet, device_ids: list[UUID]) -> None:
    needed = len(device_ids) * rule.number_of_subnets
    found = list(islice(_free_blocks(master, rule.size), needed))
    if len(found) < needed:
        text = f"{master} has {len(found)} free parts of /{rule.size}, and {needed} are needed."
        raise Refused({"subnet": [text]})
    rows: list[tuple[UUID, int, Subnet]] = []
    for number, net in enumerate(found):
        device, position = divmod(number, rule.number_of_subnets)
        subnet = Subnet(
            name=_name(rule, position + 1), subnet=str(net), master_subnet=master,
            organization_id=rule.organization_id, description="Assigned by a division rule.",
        )  # fmt: skip
        subnet.note_span()
        rows.append((device_ids[device], position + 1, subnet))
    Subnet.objects.bulk_create((one for _, _, one in rows), batch_size=500)
    Division.objects.bulk_create(
        (
            Division(rule=rule, device_id=device, subnet=subnet, position=position)
            for device, position, subnet in rows
        ),
        batch_size=500,
    )
    _address(rule, [subnet for _, _, subnet in rows])


def _free_blocks(master: Subnet, length: int) -> Iterator[Network]:
    """Yield free blocks. The first is reserved for servers and routers of the subnet."""
    blocks = addresses.blocks(master.network, length, taken_ranges(master))
    return (one for one in blocks if int(one.network_address) != master.span.first)


def _name(rule: DivisionRule, position: int) -> str:
    return f"{rule.label}_subnet{position}"


def _address(rule: DivisionRule, subnets: list[Subnet]) -> None:
    """Allocate the rule's number of lowest addresses in each subnet."""
    rows = []
    known = set(IpAddress.objects.filter(subnet__in=subnets).values_list("subnet", "number"))
    for subnet in subnets:
        first = (
            subnet.hosts.first
            if subnet.hosts.count >= rule.number_of_ips
            else subnet.span.first
        )
        for number in range(first, first + rule.number_of_ips):
            if (subnet.pk, subnet.key(number)) not in known:
                rows.append(
                    IpAddress(
                        subnet=subnet, ip_address=subnet.text(number), number=subnet.key(number)
                    )
                )  # fmt: skip
    IpAddress.objects.bulk_create(rows, batch_size=500)


@transaction.atomic
def take_back(divisions: QuerySet[Division]) -> None:
    """Delete these subnets and their addresses.

    Raises Conflict if VPN clients use them.
    """
    subnets = list(divisions.values_list("subnet", flat=True))
    if IpAddress.objects.filter(subnet__in=subnets, vpn_client__isnull=False).exists():
        raise Conflict(
            gettext("VPN clients have addresses of these subnets: take them out first.")
        )
    divisions.delete()
    IpAddress.objects.filter(subnet__in=subnets).delete()
    Subnet.objects.filter(pk__in=subnets).delete()


def first_address(rule: DivisionRule, device_id: UUID) -> IpAddress | None:
    """Return the device's first address under this rule not used by a VPN client."""
    rows = IpAddress.objects.filter(
        subnet__division__rule=rule, subnet__division__device=device_id, vpn_client=None
    )
    found: IpAddress | None = rows.order_by("subnet__division__position", "number").first()
    return found


def variables_of(device: Device) -> dict[str, str]:
    """Return the device's subnet variables for configurations, with OpenWISP's names."""
    values: dict[str, str] = {}
    for one in device.divisions.all():
        name = _name(one.rule, one.position)
        values[name] = one.subnet.subnet
        values[f"{one.rule.label}_prefixlen"] = str(one.rule.size)
        for number, address in enumerate(one.subnet.addresses.all(), start=1):
            if number <= one.rule.number_of_ips:
                values[f"{name}_ip{number}"] = str(address)
    return values
