"""nftables rulesets of relays and of members, from the networks' policies.

On a relay, one address set per network replaces the list of all pairs and grows linearly with
its members. A member's table has only the rules that concern that member. The whole table is
replaced in one transaction, so no packet sees a partial ruleset.

Connections are not remembered as allowed: a reply is judged as the packet that began its
connection, so that a policy that changes ends what it forbids with the next packet.
"""

from collections.abc import Iterable, Iterator, Sequence

from networks.overlay.engine.policies import WITH_PORTS, Member
from networks.overlay.engine.policy_chains import (
    ERRORS,
    INTERFACES,
    V4,
    V6,
    Segment,
    Sets,
    View,
    chain,
)
from networks.overlay.engine.subnet_gates import Gate, forwarded
from networks.overlay.engine.subnets import Subnet
from networks.overlay.engine.zones import PORT, Resolver

TABLE = "inet muster_overlay"
ECHO = "icmpv6 type { echo-request, echo-reply }"
MOST_TALKS, TALK_SECONDS = 65536, 300
MOST_USED, USED_SECONDS = 4096, 10


def relay_table(
    segments: Sequence[Segment], interface: str, resolvers: Sequence[Resolver] = ()
) -> str:
    """Return the relay's ruleset: forwarding as allowed by the networks' policies.

    A resolver is reached by the members of its networks alone.

    The sets ``talks`` remember which members talk, so that those try to do so directly.
    """
    hook = "type filter hook forward priority 0; policy accept;"
    lines: list[str] = []
    for family in (V6, V4):
        pair = f"{family.type} . {family.type}"
        lines += _seen(f"talks{family.suffix}", pair, MOST_TALKS, TALK_SECONDS)
    jumps: list[str] = []
    for segment in segments:
        sets = Sets(segment)
        chains = list(_judged(segment, sets, jumps, View(), View(is_original=True)))
        lines += [*sets.lines, *chains]
    through = f'iifname "{interface}" oifname "{interface}"'
    return _table(
        lines,
        jumps,
        [
            f"\tchain forward {{\n\t\t{hook}",
            f"\t\t{through} update @talks {{ ip6 saddr . ip6 daddr }}",
            f"\t\t{through} update @talks_v4 {{ ip saddr . ip daddr }}",
            f"\t\t{through} jump members",
            # Drop traffic between the overlay and the relay's own networks, both ways.
            f'\t\tiifname "{interface}" drop',
            f'\t\toifname "{interface}" drop\n\t}}',
            *_resolver_chains(resolvers, interface),
        ],
    )


def _resolver_chains(resolvers: Sequence[Resolver], interface: str) -> list[str]:
    if not resolvers:
        return []
    lead, let_in = [], []
    for one in resolvers:
        clients = f"{{ {', '.join(one.clients)} }}"
        for protocol in WITH_PORTS:
            lead.append(
                f"\t\tip6 daddr {one.address} {protocol} dport 53 "
                f"dnat ip6 to [{one.address}]:{PORT}"
            )
            let_in.append(
                f'\t\tiifname "{interface}" ip6 saddr {clients} ip6 daddr {one.address} '
                f"{protocol} dport {PORT} accept"
            )
    addresses = ", ".join(one.address for one in resolvers)
    return [
        "\tchain lead {\n\t\ttype nat hook prerouting priority -100;",
        *lead,
        "\t}",
        "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;",
        *let_in,
        f"\t\tip6 daddr {{ {addresses} }} drop",
        "\t}",
    ]


def member_table(
    segments: Sequence[Segment], address: str, subnets: Sequence[Subnet] = ()
) -> str:
    """Return a member's ruleset: what may reach it and its subnets, by the relay or directly.

    It alone protects the member from a direct peer, which may send to any address. The sets
    ``used`` remember from which members something came: their ways are watched closely.
    """
    lines: list[str] = []
    for family in (V6, V4):
        lines += _seen(f"used{family.suffix}", family.type, MOST_USED, USED_SECONDS)
    jumps: list[str] = []
    mine = [_member_at(segment, address) for segment in segments]
    is_open = all(one.is_open for one in segments)
    for segment, me in () if is_open else zip(segments, mine, strict=True):
        sets = Sets(segment)
        views = View(target=me), View(is_original=True, source=me)
        chains = list(_judged(segment, sets, jumps, *views))
        lines += [*sets.lines, *chains]
    gate = Gate(subnets)
    for segment in segments if subnets else ():
        lines += gate.add(segment, address)
    filter_hook = "priority 0; policy accept;"
    return _table(
        lines,
        ["\t\taccept"] if is_open else jumps,
        [
            f"\tchain input {{\n\t\ttype filter hook input {filter_hook}",
            f"\t\t{INTERFACES} ip6 saddr fe80::/10 ip6 daddr fe80::/10 {ECHO} accept",
            f"\t\t{INTERFACES} ip6 daddr != {address} drop",
            f"\t\t{INTERFACES} {_not_mine(mine)} drop",
            f"\t\t{INTERFACES} update @used {{ ip6 saddr }}",
            f"\t\t{INTERFACES} update @used_v4 {{ ip saddr }}",
            f"\t\t{INTERFACES} jump members\n\t}}",
            f"\tchain forward {{\n\t\ttype filter hook forward {filter_hook}",
            *forwarded(gate),
            f"\t\t{INTERFACES} drop\n\t}}",
            *gate.chains(),
        ],
    )


def _member_at(segment: Segment, address: str) -> Member:
    return next(one for one in segment.members if one.address == address)


def _not_mine(mine: Iterable[Member]) -> str:
    addresses = ", ".join(sorted({one.address4 for one in mine if one.address4}))
    return f"ip daddr != {{ {addresses} }}" if addresses else "meta nfproto ipv4"


def _seen(name: str, what: str, most: int, seconds: int) -> list[str]:
    return [
        f"\tset {name} {{",
        f"\t\ttype {what}",
        f"\t\tsize {most}",
        "\t\tflags dynamic,timeout",
        f"\t\ttimeout {seconds}s",
        "\t}",
    ]


def _judged(
    segment: Segment, sets: Sets, jumps: list[str], view: View, back: View
) -> Iterator[str]:
    """Add the jumps for a segment's packets and replies, and yield the chains they lead to."""
    name = sets.name_of(segment.everything)
    for family in segment.families:
        forth = view.ends(family, name, name)
        if segment.is_open:
            jumps.append(f"\t\t{forth}accept")
        else:
            jumps.append(f"\t\t{forth}jump n{segment.id}")
            replies = f"ct direction reply {back.ends(family, name, name)}"
            jumps.append(f"\t\t{replies}jump n{segment.id}_back")
    if not segment.is_open:
        yield from chain(f"n{segment.id}", segment, sets, view)
        yield from chain(f"n{segment.id}_back", segment, sets, back)


def _table(lines: list[str], jumps: list[str], chains: list[str]) -> str:
    return "\n".join(
        [
            f"table {TABLE}",
            f"delete table {TABLE}",
            f"table {TABLE} {{",
            *lines,
            "\tchain members {",
            *(f"\t\t{one} ct state related accept" for one in ERRORS),
            *jumps,
            "\t\treject with icmpx type admin-prohibited",
            "\t}",
            *chains,
            "}",
            "",
        ]
    )
