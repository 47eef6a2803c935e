"""IPv4 ranges of networks, and the addresses that members get from them."""

from collections.abc import Iterator
from ipaddress import IPv4Network

from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from networks.ipam.models import Subnet
from networks.overlay.engine import ranges
from networks.overlay.engine.ranges import Taken
from networks.overlay.engine.ways import split_endpoint
from networks.overlay.models import Member, MemberSubnet, Network, Node

AT_ONCE = 500
MOST_CONFLICTS = 20


def set_range(network: Network, wanted: str, *, by: User) -> None:
    """Give the network a range, "auto" for a free one, or take it away by an empty text.

    All members get new addresses. Raises Refused for a range that is invalid, or in use.
    """
    text = _chosen(network, wanted.strip(), by)
    if text == network.ipv4_range:
        return
    network.ipv4_range = text
    network.save(update_fields=["ipv4_range"])
    network.members.update(ipv4_address=None)
    assign(network)


def _chosen(network: Network, wanted: str, by: User) -> str:
    if not wanted:
        return ""
    if wanted == ranges.AUTOMATIC:
        if network.ipv4_range:
            return network.ipv4_range
        pool = IPv4Network(settings.MUSTER_OVERLAY_IPV4_POOL)
        taken = [
            *of_networks(network),
            *_of_subnets(None, by=None),
            *_of_members(network),
            *of_hosts(),
        ]
        found = ranges.free(pool, network.members.count(), taken)
        if found is None:
            raise Conflict(
                gettext("No range of %(pool)s is free: name one yourself.") % {"pool": pool}
            )
        return str(found)
    try:
        checked = ranges.checked(wanted)
    except ranges.BadRange as error:
        raise Refused({"ipv4_range": [str(error)]}) from error
    other = ranges.conflict(checked, known_ranges(network, by))
    if other is not None:
        raise Refused({"ipv4_range": [_sentence(checked, other)]})
    return str(checked)


def _sentence(wanted: object, found: Taken) -> str:
    return gettext("%(wanted)s overlaps %(other)s, %(what)s.") % {
        "wanted": wanted, "other": found.network, "what": found.by,
    }  # fmt: skip


def known_ranges(network: Network, by: User) -> Iterator[Taken]:
    """Yield the ranges that a network's own must not overlap."""
    yield from of_networks(network)
    yield from _of_subnets(network, by=by)
    yield from _of_members(network)
    yield from _of_routes()
    yield from of_hosts()


def conflicts(network: Network, by: User) -> list[str]:
    """Return sentences about ranges that now overlap the network's range."""
    if not network.ipv4_range:
        return []
    own = IPv4Network(network.ipv4_range)
    found = (
        _sentence(own, one)
        for one in known_ranges(network, by)
        if ranges.conflict(own, [one]) is not None
    )
    return [text for text, _ in zip(dict.fromkeys(found), range(MOST_CONFLICTS), strict=False)]


def of_networks(network: Network | None) -> Iterator[Taken]:
    """Yield the ranges of all networks but this one."""
    # Devices may be in several networks, and a relay is in all of them.
    rows = Network.objects.exclude(ipv4_range="")
    if network is not None:
        rows = rows.exclude(pk=network.pk)
    what = gettext("the range of another overlay network")
    yield from ranges.parsed(rows.values_list("ipv4_range", flat=True), what)


def _of_subnets(network: Network | None, *, by: User | None) -> Iterator[Taken]:
    """Yield the subnets of the address plans that concern a network; None for all."""
    rows = Subnet.objects.filter(first__startswith="4")
    if network is not None and by is not None:
        devices = network.members.exclude(node__device=None)
        concerned = Q(organization=None) | Q(
            organization__in=devices.values("node__device__organization")
        )
        mine = Subnet.objects.visible_to(by).values("pk")
        rows = rows.filter(concerned | Q(pk__in=mine))
    for name, subnet in rows.values_list("name", "subnet").iterator(chunk_size=AT_ONCE):
        yield from ranges.parsed([subnet], gettext("the subnet %(name)s") % {"name": name})


def _of_routes() -> Iterator[Taken]:
    rows = MemberSubnet.objects.exclude(prefix="")
    what = gettext("a subnet behind a member")
    yield from ranges.parsed(rows.values_list("prefix", flat=True), what)


def _of_members(network: Network) -> Iterator[Taken]:
    rows = network.members.select_related("node").only("node__name", "node__offers")
    for row in rows:
        what = gettext("a network that %(name)s is in") % {"name": row.node.name}
        yield from ranges.parsed(row.node.offers.get("lans", ()), what)


def of_hosts() -> Iterator[Taken]:
    """Yield the relays' addresses: what leads to them must not be sent into the overlay."""
    endpoints = Node.objects.filter(is_relay=True).exclude(endpoint="")
    hosts = [split_endpoint(one)[0] for one in endpoints.values_list("endpoint", flat=True)]
    yield from ranges.parsed(hosts, gettext("the address of a relay"))


def assign(network: Network) -> int:
    """Give an address to each active member that has none. Returns how many got one."""
    if not network.ipv4_range:
        return 0
    # Two that join at once must not be given the same address.
    Network.objects.select_for_update().get(pk=network.pk)
    rows = list(
        network.members.filter(ipv4_address=None, state=Member.State.ACTIVE).order_by("pk")
    )
    used = set(
        network.members.exclude(ipv4_address=None).values_list("ipv4_address", flat=True)
    )
    free = ranges.next_addresses(IPv4Network(network.ipv4_range), used, len(rows))
    for row, address in zip(rows, free, strict=False):
        row.ipv4_address = address
    Member.objects.bulk_update(rows[: len(free)], ["ipv4_address"], batch_size=AT_ONCE)
    return len(free)
