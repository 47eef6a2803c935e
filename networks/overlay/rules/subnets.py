"""Subnets behind members: entered or announced, approved, reached by other members."""

from collections.abc import Collection, Iterable, Iterator
from ipaddress import IPv4Network, ip_address, ip_network
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from networks.overlay.engine import policies, ranges, subnets
from networks.overlay.engine.overlay_names import HOSTNAME, free_name
from networks.overlay.engine.ranges import Taken
from networks.overlay.engine.subnets import BadSubnet
from networks.overlay.models import Member, MemberSubnet, Network, Node
from networks.overlay.rules import plans
from networks.overlay.rules.networks import check
from networks.overlay.rules.ranges import of_hosts, of_networks

MOST_OF_NETWORK = 200


def of_network(network: Network) -> QuerySet[MemberSubnet]:
    return MemberSubnet.objects.filter(network=network)


@transaction.atomic
def add_subnet(
    member: Member, *, by: User, lan: str, name: str = "", masquerade: bool = True
) -> MemberSubnet:
    """Enter a subnet behind a member. It is routed once it is approved."""
    check(by, member.network, "change_policy")
    if member.node.is_relay:
        raise Refused({"member": [gettext("A relay leads to no subnets.")]})
    row = MemberSubnet(
        network=member.network, member=member, lan=_lan(lan), masquerade=masquerade,
        name=_name(member, name),
    )  # fmt: skip
    if of_network(member.network).count() >= MOST_OF_NETWORK:
        raise Refused(gettext("A network has at most %d subnets.") % MOST_OF_NETWORK)
    if of_network(member.network).filter(member=member, lan=row.lan).exists():
        raise Conflict(gettext("The member leads to this subnet already."))
    row.save()
    return row


def _lan(text: str) -> str:
    try:
        return str(subnets.checked(text, settings.MUSTER_OVERLAY_PREFIX))
    except BadSubnet as error:
        raise Refused({"lan": [str(error)]}) from error


def _name(member: Member, wanted: str) -> str:
    taken = set(of_network(member.network).values_list("name", flat=True))
    if not wanted:
        return free_name(f"{member.node.name[:56]}-lan", taken)
    if HOSTNAME.fullmatch(wanted) is None or wanted in taken:
        raise Refused(
            {"name": [gettext("It is no host name, or another subnet of the network has it.")]}
        )
    return wanted


@transaction.atomic
def approve_subnet(row: MemberSubnet, *, by: User, prefix: str = "") -> MemberSubnet:
    """Let the members reach a subnet, as the policy allows.

    They reach it as `prefix`, an equally large range that is mapped to it; "auto" chooses a free
    one, and an empty text leaves the addresses as they are.
    """
    check(by, row.network, "change_policy")
    if row.approved_at is not None:
        raise Conflict(gettext("The subnet is approved already."))
    # Two approvals at once must see each other's prefix.
    Network.objects.select_for_update().get(pk=row.network_id)
    lan = ip_network(row.lan)
    if lan.version == 4 and row.member.ipv4_address is None:  # noqa: PLR2004 - IPv4
        raise Conflict(
            gettext(
                "Members reach an IPv4 subnet from IPv4 addresses: give the network a range."
            )
        )
    taken = list(_taken())
    try:
        pool = IPv4Network(settings.MUSTER_OVERLAY_IPV4_POOL)
        reached = subnets.mapped(prefix, lan, pool, taken) if prefix else lan
        subnets.checked(str(reached), settings.MUSTER_OVERLAY_PREFIX)
    except BadSubnet as error:
        raise Refused({"prefix": [str(error)]}) from error
    if (other := ranges.conflict(reached, taken)) is not None:
        raise Conflict(
            gettext(
                "%(wanted)s overlaps %(other)s, %(what)s: have it mapped to another range."
            ) % {"wanted": reached, "other": other.network, "what": other.by}
        )  # fmt: skip
    row.prefix, row.approved_at, row.approved_by = str(reached), timezone.now(), by
    row.save(update_fields=["prefix", "approved_at", "approved_by"])
    plans.mark_outdated([row.network_id])
    return row


def _taken() -> Iterator[Taken]:
    rows = MemberSubnet.objects.exclude(prefix="").values_list("prefix", flat=True)
    # Of other tenants, too: a relay sends each prefix to one member.
    yield from ranges.parsed(rows, gettext("a subnet behind another member"))
    yield from of_networks(None)
    yield from of_hosts()


@transaction.atomic
def remove_subnet(row: MemberSubnet, *, by: User) -> None:
    check(by, row.network, "change_policy")
    row.delete()
    plans.mark_outdated([row.network_id])


@transaction.atomic
def follow(node: Node, announced: Iterable[str]) -> None:
    """Enter what a device announces in all its networks, and remove what it withdraws."""
    wanted = set(_fit(announced))
    gone = MemberSubnet.objects.filter(member__node=node, is_announced=True)
    gone = gone.exclude(lan__in=wanted)
    plans.mark_outdated(set(gone.exclude(approved_at=None).values_list("network", flat=True)))
    gone.delete()
    for member in node.memberships.active().select_related("network", "node"):
        rows = of_network(member.network)
        known = set(rows.filter(member=member).values_list("lan", flat=True))
        if rows.count() + len(wanted) > MOST_OF_NETWORK:
            continue
        for lan in sorted(wanted - known):
            MemberSubnet.objects.create(
                network=member.network, member=member, lan=lan, is_announced=True,
                name=_name(member, ""),
            )  # fmt: skip


def _fit(announced: Iterable[str]) -> Iterator[str]:
    for text in announced:
        try:
            yield str(subnets.checked(text, settings.MUSTER_OVERLAY_PREFIX))
        except BadSubnet:
            continue


def reached_by(node: Node, others: Collection[int]) -> list[tuple[int, str, str]]:
    """Return what a node may reach behind these: the other's id, the prefix, and the source."""
    mine = {row.network_id: row for row in node.memberships.active()}
    found = plans.approved_subnets(mine)
    if not found:
        return []
    rows = Network.objects.filter(pk__in=found).values_list("pk", "policy")
    routes = []
    for pk, policy in rows:
        me = mine[pk]
        member = policies.Member(node.name, str(node.address), frozenset(me.tags))
        for one in plans.routed(found[pk], policies.parse(policy), {node.pk: member}):
            source = str(node.address) if ":" in one.prefix else me.ipv4_address
            if one.node in others and node.pk in one.allowed and source:
                routes.append((one.node, one.prefix, source))
    return routes


def nodes_behind(addresses: Collection[str]) -> dict[str, int]:
    """Return the members that lead to these addresses."""
    if not addresses:
        return {}
    rows: Any = MemberSubnet.objects.exclude(prefix="").values_list("prefix", "member__node")
    known = [(ip_network(prefix), node) for prefix, node in rows]
    return {
        text: node
        for text in addresses
        for network, node in known
        if (ip := ip_address(text)).version == network.version and ip in network
    }
