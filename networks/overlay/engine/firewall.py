"""nftables rulesets of the relay and of members, from the networks' policies.

One address set per network replaces the list of all pairs and grows linearly with its
members. The whole table is replaced in one transaction, so no packet sees a partial
ruleset.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from networks.overlay.engine.policies import OPEN, Member, Policy, Rule

TABLE = "inet muster_overlay"


@dataclass(frozen=True, slots=True)
class Segment:
    """A network with its members and policy, as input of the firewall."""

    id: int
    members: tuple[Member, ...]
    policy: Policy = OPEN


def relay_table(segments: Sequence[Segment], interface: str) -> str:
    """Return the relay's ruleset: forwarding as allowed by the networks' policies."""
    hook = "type filter hook forward priority 0; policy accept;"
    return _table(
        segments,
        [
            f"\tchain forward {{\n\t\t{hook}",
            f'\t\tiifname "{interface}" oifname "{interface}" jump members',
            # Drop traffic between the overlay and the relay's own networks, both ways.
            f'\t\tiifname "{interface}" drop',
            f'\t\toifname "{interface}" drop\n\t}}',
        ],
    )


def member_table(segments: Sequence[Segment], interface: str) -> str:
    """Return a member's ruleset, which enforces the policy on direct paths."""
    hook = "type filter hook input priority 0; policy accept;"
    return _table(
        segments,
        [f"\tchain input {{\n\t\t{hook}", f'\t\tiifname "{interface}" jump members\n\t}}'],
    )


def _table(segments: Sequence[Segment], chains: list[str]) -> str:
    lines = [f"table {TABLE}", f"delete table {TABLE}", f"table {TABLE} {{"]
    jumps = []
    for segment in segments:
        everybody = _name(segment, "all")
        lines += _set(everybody, segment.members)
        pair = f"ip6 saddr @{everybody} ip6 daddr @{everybody}"
        if segment.policy.is_open:
            jumps.append(f"\t\t{pair} accept")
            continue
        jumps.append(f"\t\t{pair} ct state established,related accept")
        jumps.append(f"\t\t{pair} jump n{segment.id}")
        lines += _policy(segment)
    lines += [
        "\tchain members {",
        *jumps,
        "\t\treject with icmpv6 type admin-prohibited",
        "\t}",
        *chains,
        "}",
        "",
    ]
    return "\n".join(lines)


def _policy(segment: Segment) -> Iterator[str]:
    names: dict[tuple[str, ...], str] = {("*",): _name(segment, "all")}
    for rule in segment.policy.rules:
        for selectors in (rule.sources, rule.targets):
            if selectors not in names:
                names[selectors] = _name(segment, str(len(names)))
                chosen = [one for one in segment.members if one.is_among(selectors)]
                yield from _set(names[selectors], chosen)
    yield f"\tchain n{segment.id} {{"
    for rule in segment.policy.rules:
        pair = f"ip6 saddr @{names[rule.sources]} ip6 daddr @{names[rule.targets]}"
        # `return`, not `drop`: another network that both share may still allow it.
        verdict = "accept" if rule.action == "allow" else "return"
        yield from (f"\t\t{pair} {what}{verdict}" for what in _traffic(rule))
    yield f"\t\t{'accept' if segment.policy.default == 'allow' else 'return'}"
    yield "\t}"


def _traffic(rule: Rule) -> Iterator[str]:
    match rule.protocol:
        case "any":
            yield ""
        case "icmp":
            yield "meta l4proto ipv6-icmp "
        case protocol if rule.ports:
            ports = ", ".join(
                str(low) if low == high else f"{low}-{high}" for low, high in rule.ports
            )
            yield f"{protocol} dport {{ {ports} }} "
        case protocol:
            yield f"meta l4proto {protocol} "


def _name(segment: Segment, part: str) -> str:
    return f"n{segment.id}_{part}"


def _set(name: str, members: Iterable[Member]) -> list[str]:
    addresses = ", ".join(sorted({one.address for one in members}))
    elements = f" elements = {{ {addresses} }};" if addresses else ""
    return [f"\tset {name} {{ type ipv6_addr;{elements} }}"]
