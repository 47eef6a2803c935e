"""Load topologies from the database and compute the devices' plans."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.text import slugify

from controller.base.events import Event, publish_on_commit
from controller.base.secrets import digest
from controller.celery import enqueue_on_commit
from networks.overlay.engine import configs, firewall, policies, topology
from networks.overlay.engine.keys import overlay_address, wireguard_pair
from networks.overlay.engine.policy_chains import Segment
from networks.overlay.engine.subnets import Subnet
from networks.overlay.engine.topology import Plan, Topology
from networks.overlay.models import Member, MemberSubnet, Network, Node
from networks.overlay.rules import agent_tokens

# Tasks of upper apps that configure the nodes of outdated plans; each adds its own.
FOLLOWERS: set[str] = set()
RELAY_NAME = "relay"
FIRST_PORT, PORTS = 20000, 30000


@dataclass(frozen=True)
class Contribution:
    """The overlay's part of a device's configuration."""

    netjson: dict[str, Any] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict, repr=False)


NOTHING = Contribution()


def relay() -> Node:
    """Return the relay's node; create it with its key on first use.

    The key must exist before a device is the relay: join codes contain the address derived
    from it.
    """
    found: Node | None = Node.objects.filter(is_relay=True).order_by("rank").first()
    if found is None:
        Node.objects.bulk_create([new_relay(RELAY_NAME, 0)], ignore_conflicts=True)
        return relay()
    return found


def new_relay(name: str, rank: int) -> Node:
    """Return an unsaved relay with its key."""
    private, public = wireguard_pair()
    return new_node(
        public, name=name, private_key=private, key_mode=Node.KeyMode.PORTAL,
        is_relay=True, rank=rank,
    )  # fmt: skip


def new_node(public_key: str, **values: Any) -> Node:
    """Return an unsaved node.

    Its port is derived from the key, to stay the same behind NAT.
    """
    port = FIRST_PORT + int(digest(public_key)[:8], 16) % PORTS
    return Node(
        public_key=public_key,
        address=overlay_address(public_key, settings.MUSTER_OVERLAY_PREFIX),
        port=port,
        **values,
    )


def mark_outdated(network_ids: Collection[int], *, also: Iterable[int] = ()) -> None:
    """Mark the plans of these networks' members, and of the relay, as outdated."""
    members = Member.objects.filter(network__in=network_ids).values("node")
    affected = Node.objects.filter(pk__in=members) | Node.objects.filter(pk__in=list(also))
    (affected | Node.objects.filter(is_relay=True)).touch()
    # Delayed, so that a burst of changes results in one push.
    tell_changed(network_ids)
    for task in FOLLOWERS:
        enqueue_on_commit(task, countdown=settings.MUSTER_OVERLAY_SETTLE_SECONDS)


def tell_changed(network_ids: Iterable[int]) -> None:
    """Publish `network.changed` to the networks' users.

    Pages re-fetch what they may see.
    """
    changed = set(network_ids)
    publish_on_commit(lambda: [_changed(network) for network in _with_shares(changed)])


def _with_shares(ids: Collection[int]) -> QuerySet[Network]:
    return Network.objects.filter(pk__in=ids).prefetch_related("shares")


def _changed(network: Network) -> Event:
    shared = {share.user_id for share in network.shares.all() if share.user_id}
    people = frozenset({network.owner_id, *shared})
    return Event(
        "network.changed", "network:read", None, network.pk, has_site=False, recipients=people
    )


def slug_of(network: Network) -> str:
    """Return a unique and readable DNS label for the network."""
    return f"{slugify(network.name)[:40].strip('-_') or 'network'}-{network.pk}".lstrip("-")


def load_topology(node_ids: Collection[int] | None = None) -> Topology:
    """Load the topology around these nodes (None: all) in a fixed number of queries."""
    members = Member.objects.active()
    if node_ids is not None:
        mine = members.filter(node__in=node_ids).values("network")
        members = members.filter(network__in=mine)
    by_network: defaultdict[int, list[int]] = defaultdict(list)
    addresses4: defaultdict[int, dict[int, str]] = defaultdict(dict)
    node_of: dict[int, int] = {}
    tags: defaultdict[int, dict[int, list[str]]] = defaultdict(dict)
    for pk, network, node, address4, words in members.order_by("pk").values_list(
        "pk", "network", "node", "ipv4_address", "tags"
    ):
        tags[network][node] = words
        by_network[network].append(node)
        node_of[pk] = node
        if address4:
            addresses4[network][node] = address4
    rows = Network.objects.filter(pk__in=list(by_network)).order_by("pk")
    nodes = {
        one.pk: _node(one)
        for one in Node.objects.filter(pk__in=set(node_of.values())).defer("private_key")
    }
    found = approved_subnets(by_network)
    hubs = tuple(_node(one) for one in relays())
    nodes = {one.id: one for one in hubs} | nodes
    return Topology(
        nodes=nodes,
        networks=tuple(
            topology.Network(
                one.pk,
                one.slug,
                tuple(by_network[one.pk]),
                node_of.get(one.master_id) if one.master_id else None,
                one.ipv4_range,
                addresses4[one.pk],
                one.has_resolver,
                routed(
                    found[one.pk],
                    policies.parse(one.policy),
                    {pk: _identity(nodes[pk], words) for pk, words in tags[one.pk].items()},
                )
                if found[one.pk]
                else (),
            )
            for one in rows
        ),
        relays=hubs,
        prefix=settings.MUSTER_OVERLAY_PREFIX,
        suffix=settings.MUSTER_OVERLAY_SUFFIX,
    )


def _identity(node: topology.Node, tags: Iterable[str]) -> policies.Member:
    return policies.Member(node.name, node.address, frozenset(tags))


def approved_subnets(network_ids: Iterable[int]) -> Mapping[int, list[Subnet]]:
    """Return the routed subnets by network."""
    found: defaultdict[int, list[Subnet]] = defaultdict(list)
    rows = MemberSubnet.objects.exclude(approved_at=None).filter(
        network__in=list(network_ids), member__in=Member.objects.active()
    )
    for row in rows.select_related("member").order_by("pk"):
        found[row.network_id].append(
            Subnet(row.name, row.member.node_id, row.lan, row.prefix, row.masquerade)
        )
    return found


def routed(
    subnets: Iterable[Subnet], policy: policies.Policy, members: Mapping[int, policies.Member]
) -> tuple[Subnet, ...]:
    """Return the subnets of a network, each with the members that the policy lets through."""
    found = []
    for one in subnets:
        identity = one.identity(members[one.node].address if one.node in members else "-")
        allowed = frozenset(
            node
            for node, member in members.items()
            if policies.lets_through(policy, member, identity)
        )
        found.append(replace(one, allowed=allowed))
    return tuple(found)


def relays() -> list[Node]:
    """Return all relays, the first of which members use until they have measured others."""
    return list(Node.objects.filter(is_relay=True).order_by("rank")) or [relay()]


def lacking(program: str) -> list[str]:
    """Return the names of the relays that report a missing program."""
    return [one.name for one in relays() if program in one.offers.get("lacks", ())]


def _node(row: Node) -> topology.Node:
    port, direct_port = row.ports
    return topology.Node(
        id=row.pk,
        name=row.name,
        address=str(row.address),
        public_key=row.public_key,
        port=port,
        endpoint=row.endpoint,
        direct_port=direct_port,
        is_fully_managed=row.is_fully_managed,
    )


def segments(network_ids: Iterable[int] | None = None) -> list[Segment]:
    """Load networks as input of the firewall (None: all networks)."""
    members = Member.objects.active().select_related("node").order_by("pk")
    rows = Network.objects.order_by("pk")
    if network_ids is not None:
        ids = list(network_ids)
        rows, members = rows.filter(pk__in=ids), members.filter(network__in=ids)
    subnets: defaultdict[int, list[policies.Member]] = defaultdict(list)
    by_network: defaultdict[int, list[policies.Member]] = defaultdict(list)
    behind: dict[int, str] = {}
    for one in members.defer("node__private_key"):
        by_network[one.network_id].append(as_policy_member(one))
        behind[one.node_id] = str(one.node.address)
    for network, found in approved_subnets(by_network).items():
        subnets[network] = [one.identity(behind[one.node]) for one in found]
    return [
        Segment(
            row.pk,
            tuple(by_network[row.pk]),
            policies.parse(row.policy),
            tuple(subnets[row.pk]),
        )
        for row in rows
        if by_network[row.pk]
    ]


def as_policy_member(row: Member) -> policies.Member:
    return policies.Member(
        row.node.name, str(row.node.address), frozenset(row.tags), row.ipv4_address or ""
    )


def script_parts(
    made: Topology, node: Node, walls: Mapping[int, Segment] | None = None
) -> tuple[Plan, dict[str, str]]:
    """Return a node's plan and its files for the join client.

    `walls` are the segments by network, where several nodes need them.
    """
    if node.is_relay:
        plan = topology.relay_plan(made, made.nodes[node.pk])
        table = firewall.relay_table(segments(), configs.INTERFACE, plan.resolvers)
        return plan, configs.parts(plan, firewall=table, is_relay=True)
    plan = topology.plan(made, node.pk)
    table = ""
    if plan is not topology.NOTHING:
        ids = [network.id for network in made.networks_of[node.pk]]
        walls = by_network(ids) if walls is None else walls
        table = firewall.member_table(
            [walls[one] for one in ids], str(node.address), plan.subnets
        )
    return plan, configs.parts(plan, firewall=table)


def by_network(network_ids: Iterable[int]) -> dict[int, Segment]:
    return {one.id: one for one in segments(network_ids)}


def contributions(device_ids: Collection[UUID]) -> dict[UUID, Contribution]:
    """Return the overlay's part of these devices' configurations, by device id."""
    rows = list(Node.objects.filter(device__in=device_ids))
    if not rows:
        return {}
    everything = any(row.is_relay for row in rows)
    made = load_topology(None if everything else [row.pk for row in rows])
    walls = by_network(one.id for one in made.networks)
    return {row.device_id: _contribution(made, row, walls) for row in rows}


def _contribution(made: Topology, node: Node, walls: Mapping[int, Segment]) -> Contribution:
    plan, found = script_parts(made, node, walls)
    reporting = agent_tokens.reporting(node) if found else {}
    found |= reporting
    if not found:
        # The script must stay on the device until it has removed the interface.
        return Contribution(configs.netjson_files({}, script=script(), holds_key=False))
    holds_key = bool(node.private_key)
    netjson = configs.netjson_files(found, script=script(), holds_key=holds_key)
    if holds_key and not node.is_relay:
        netjson |= configs.netjson(plan)
        netjson["files"].append(configs.agent_hook())
    variables = {configs.KEY_VARIABLE: node.private_key} if holds_key else {}
    if reporting:
        variables[configs.TOKEN_VARIABLE] = agent_tokens.token_of(node)
    return Contribution(netjson, variables)


@lru_cache(maxsize=1)
def script() -> str:
    """Return the join client, which is identical for all devices."""
    return Path(settings.BASE_DIR, "agents", "muster-join").read_text()


@transaction.atomic
def take_outdated() -> list[UUID]:
    """Mark outdated nodes as processed; return the device ids to re-render."""
    rows = Node.objects.filter(followed_revision__lt=F("revision"))
    # Lock the rows, so that the revision stored below is the one read here.
    found = dict(rows.select_for_update().order_by("pk").values_list("pk", "device"))
    Node.objects.filter(pk__in=found).update(followed_revision=F("revision"))
    return [device for device in found.values() if device is not None]
