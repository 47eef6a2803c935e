"""Subnets without overlaps, and allocation of unique addresses."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Max, ProtectedError, Q, QuerySet
from django.utils.translation import gettext

from controller.base.errors import Conflict, Refused
from networks.ipam.engine import addresses
from networks.ipam.engine.addresses import Range
from networks.ipam.models import IpAddress, Subnet

SHOWN_USERS = 5


@dataclass(frozen=True)
class Allocation:
    """Number of host addresses of a subnet by status."""

    total: int
    used: int
    reserved: int

    @property
    def available(self) -> int:
        return max(self.total - self.used - self.reserved, 0)


@dataclass(frozen=True)
class Host:
    """A host address: used, reserved for a child subnet, or free."""

    address: str
    ip_address_id: UUID | None
    reserved: bool

    @property
    def used(self) -> bool:
        return self.ip_address_id is not None


@transaction.atomic
def create_subnet(**values: Any) -> Subnet:
    subnet = Subnet(**values)
    _check(subnet).save()
    return subnet


@transaction.atomic
def update_subnet(subnet: Subnet, /, **values: Any) -> Subnet:
    """Change a subnet. Raises Refused if an address or child subnet would be outside."""
    owner = subnet.organization_id
    for name, value in values.items():
        setattr(subnet, name, value)
    _check(subnet)
    outside = Q(number__lt=subnet.first) | Q(number__gt=subnet.last)
    if subnet.addresses.filter(outside).exists():
        raise Refused({"subnet": [gettext("It has addresses that would be outside of it.")]})
    if subnet.child_subnets.exclude(first__gte=subnet.first, last__lte=subnet.last).exists():
        raise Refused({"subnet": [gettext("It has parts that would be outside of it.")]})
    if owner != subnet.organization_id and subnet.child_subnets.exists():
        raise Conflict(gettext("A subnet with parts stays in its organization."))
    subnet.save()
    return subnet


@transaction.atomic
def delete_subnet(subnet: Subnet) -> None:
    """Delete a subnet with its child subnets and addresses. Raises Conflict if in use."""
    try:
        subnet.delete()
    except ProtectedError as error:
        users = ", ".join(sorted({str(row) for row in error.protected_objects}))
        raise Conflict(
            gettext("%(subnet)s is in use by %(users)s; take it out of there first.")
            % {"subnet": subnet, "users": users}
        ) from error


def _check(subnet: Subnet) -> Subnet:
    with suppress(ValueError):  # the field's validator reports this
        subnet.note_span()
    subnet.checked()
    _check_unique(subnet)
    _check_master(subnet)
    _check_overlaps(subnet)
    return subnet


def _check_unique(subnet: Subnet) -> None:
    same = Subnet.objects.filter(subnet=subnet.subnet).exclude(pk=subnet.pk)
    if same.filter(organization=None).exists():
        text = "This subnet is already assigned for internal usage in the system."
        raise Refused({"subnet": [text]})
    master_is_shared = subnet.master_subnet and subnet.master_subnet.organization_id is None
    if (subnet.organization_id is None or master_is_shared) and same.exists():
        text = "This subnet is already assigned to another organization."
        raise Refused({"subnet": [text]})


def _check_master(subnet: Subnet) -> None:
    master = subnet.master_subnet
    if master is None:
        return
    if master.organization_id not in {None, subnet.organization_id}:
        text = (
            "Please ensure that the organization of this Subnet and the organization of the "
            "related Subnet match."
        )
        raise Refused({"master_subnet": [text]})
    if master.network.version != subnet.network.version:
        text = f"One is of IPv{master.network.version}, the other is not."
        raise Refused({"master_subnet": [text]})
    inside = master.first <= subnet.first and subnet.last <= master.last
    if master.pk == subnet.pk or subnet.pk in _ancestors(master) or not inside:
        raise Refused({"master_subnet": [gettext("Invalid master subnet.")]})


def _check_overlaps(subnet: Subnet) -> None:
    """Raise Refused if the subnet overlaps an unrelated one.

    Checked against the subnets of its organization and shared ones; a shared subnet against
    all.
    """
    others = Subnet.objects.filter(first__lte=subnet.last, last__gte=subnet.first)
    master = subnet.master_subnet
    if subnet.organization_id is not None and not (master and master.organization_id is None):
        others = others.filter(
            Q(organization=subnet.organization_id) | Q(organization__isnull=True)
        )
    related = {subnet.pk, *_ancestors(subnet), *_descendants(subnet)}
    for other in others.exclude(subnet=subnet.subnet).only("subnet", "organization"):
        if other.pk in related:
            continue
        mine = other.organization_id in {None, subnet.organization_id}
        named = other.subnet if mine else "a subnet of another organization"
        raise Refused(
            {"subnet": [gettext("Subnet overlaps with %(named)s.") % {"named": named}]}
        )


def _ancestors(subnet: Subnet) -> list[UUID]:
    found = []
    master = subnet.master_subnet
    while master is not None and master.pk not in found:
        found.append(master.pk)
        master = master.master_subnet
    return found


def _descendants(subnet: Subnet) -> list[UUID]:
    found: list[UUID] = []
    level = [subnet.pk]
    while level:
        level = list(
            Subnet.objects.filter(master_subnet__in=level).values_list("pk", flat=True)
        )
        found += level
    return found


@transaction.atomic
def add_address(*, subnet: Subnet, ip_address: str, **values: Any) -> IpAddress:
    row = IpAddress(subnet=locked(subnet), ip_address=ip_address, **values)
    _checked(row).save()
    return row


def locked(subnet: Subnet) -> Subnet:
    """Lock the subnet's row, so that concurrent allocations are serialized."""
    held: Subnet = Subnet.objects.select_for_update(of=("self",)).get(pk=subnet.pk)
    return held


@transaction.atomic
def update_address(row: IpAddress, **values: Any) -> IpAddress:
    values["subnet"] = locked(values.get("subnet", row.subnet))
    for name, value in values.items():
        setattr(row, name, value)
    _checked(row).save()
    return row


def _checked(row: IpAddress) -> IpAddress:
    row.checked(leave_out={"number"})
    row.number = addresses.key_of(row.ip_address)
    if not row.subnet.first <= row.number <= row.subnet.last:
        raise Refused({"ip_address": [gettext("IP address does not belong to the subnet")]})
    same = IpAddress.objects.filter(subnet=row.subnet, number=row.number)
    if same.exclude(pk=row.pk).exists():
        raise Refused({"ip_address": [gettext("IP address already used.")]})
    return row


def delete_address(row: IpAddress) -> None:
    try:
        row.delete()
    except ProtectedError as error:
        users = ", ".join(sorted({str(one) for one in error.protected_objects}))
        raise Conflict(
            gettext("%(row)s is in use by %(users)s; take it out of there first.")
            % {"row": row, "users": users}
        ) from error


def delete_addresses(rows: Sequence[IpAddress]) -> None:
    """Delete addresses that nothing uses, in one statement. Raises Conflict if any is used."""
    try:
        IpAddress.objects.filter(pk__in=[row.pk for row in rows]).delete()
    except ProtectedError as error:
        users = ", ".join(sorted({str(one) for one in error.protected_objects})[:SHOWN_USERS])
        raise Conflict(
            gettext("Nothing was deleted. Addresses are in use by %(users)s.")
            % {"users": users}
        ) from error


@transaction.atomic
def allocate(
    subnet: Subnet, many: int = 1, *, descriptions: Sequence[str] = ()
) -> list[IpAddress]:
    """Allocate the `many` lowest free addresses.

    Raises :class:`Refused` if too few are free.
    """
    held = locked(subnet)
    found = free(held, many)
    if len(found) < many:
        left = f"{len(found)} free addresses" if found else "no free address"
        raise Refused(
            {
                "subnet": [
                    gettext("%(subnet)s has %(left)s left, and %(many)s are needed.")
                    % {"subnet": subnet, "left": left, "many": many}
                ]
            }
        )
    texts = descriptions or [""] * many
    return IpAddress.objects.bulk_create(
        (
            IpAddress(
                subnet=held, ip_address=held.text(number), number=held.key(number),
                description=text,
            )
            for number, text in zip(found, texts, strict=True)
        ),
        batch_size=500,
    )  # fmt: skip


def next_free(subnet: Subnet) -> str | None:
    found = free(subnet, 1)
    return subnet.text(found[0]) if found else None


def free(subnet: Subnet, many: int) -> list[int]:
    """Return up to `many` lowest free addresses outside of child subnets."""
    hosts = subnet.hosts
    parts = list(_parts(subnet))
    taken = _taken(subnet, hosts)
    if not parts:
        seen = taken.aggregate(count=Count("pk"), highest=Max("number"))
        if not seen["count"]:
            return addresses.lowest_free(hosts, [], many)
        highest = addresses.number_of(seen["highest"])
        if highest - hosts.first + 1 == seen["count"]:
            # Fast path: allocated from the bottom without gaps.
            return addresses.lowest_free(Range(highest + 1, hosts.last), [], many)
    return addresses.lowest_free(hosts, _merged(parts, taken), many)


def _taken(subnet: Subnet, within: Range) -> QuerySet[IpAddress]:
    """Return the subnet's addresses in the range."""
    return IpAddress.objects.filter(
        subnet=subnet, number__gte=subnet.key(within.first), number__lte=subnet.key(within.last)
    ).order_by("number")


def _parts(subnet: Subnet) -> Iterable[Range]:
    for first, last in subnet.child_subnets.values_list("first", "last"):
        yield Range(addresses.number_of(first), addresses.number_of(last))


def taken_ranges(subnet: Subnet) -> list[Range]:
    """Return the ranges unavailable for blocks: child subnets and own addresses."""
    return _merged(list(_parts(subnet)), _taken(subnet, subnet.span))


def _merged(parts: Iterable[Range], taken: QuerySet[IpAddress]) -> list[Range]:
    singles = map(addresses.number_of, taken.values_list("number", flat=True))
    return sorted([*parts, *(Range(one, one) for one in singles)])


def _in_family(subnet: Subnet, within: Range) -> QuerySet[IpAddress]:
    """Return the addresses in the range, also those of parent and child subnets."""
    related = [subnet.pk, *_ancestors(subnet), *_descendants(subnet)]
    return IpAddress.objects.filter(
        subnet__in=related,
        number__gte=subnet.key(within.first),
        number__lte=subnet.key(within.last),
    )


def allocation(subnet: Subnet) -> Allocation:
    hosts = subnet.hosts
    rows = _in_family(subnet, hosts)
    reserved = 0
    for part in _parts(subnet):
        seen = part.cut(hosts)
        reserved += seen.count - _in_family(subnet, seen).count() if seen.count else 0
    return Allocation(total=hosts.count, used=rows.count(), reserved=reserved)


def host_range(subnet: Subnet, first: int, many: int) -> list[Host]:
    """Return up to `many` consecutive host addresses, starting at `first`."""
    within = Range(first, first + many - 1).cut(subnet.hosts)
    if not within.count:
        return []
    taken = dict(_in_family(subnet, within).values_list("number", "pk"))
    parts = [part for part in _parts(subnet) if part.cut(within).count]
    return [
        Host(
            address=subnet.text(number),
            ip_address_id=(pk := taken.get(subnet.key(number))),
            reserved=pk is None and any(part.first <= number <= part.last for part in parts),
        )
        for number in range(within.first, within.last + 1)
    ]


def position(subnet: Subnet, text: str) -> int:
    """Return the number of a host address, or of the subnet's first host if invalid."""
    hosts = subnet.hosts
    try:
        address = ip_address(text)
    except ValueError:
        return hosts.first
    if address.version != subnet.network.version or not (
        hosts.first <= int(address) <= hosts.last
    ):
        return hosts.first
    return int(address)
