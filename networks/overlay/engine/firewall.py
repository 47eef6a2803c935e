"""nftables rulesets of relays and of members, from the networks' policies.

On a relay, one address set per network replaces the list of all pairs and grows linearly with
its members. A member's table has only the rules that lead to that member. The whole table is
replaced in one transaction, so no packet sees a partial ruleset.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from networks.overlay.engine.policies import OPEN, Member, Policy, Rule

TABLE = "inet muster_overlay"
# All interfaces of the overlay.
INTERFACES = 'iifname "muster*"'
ECHO = "icmpv6 type { echo-request, echo-reply }"
MOST_TALKS, TALK_SECONDS = 65536, 300
MOST_USED, USED_SECONDS = 4096, 10


@dataclass(frozen=True, slots=True)
class Segment:
    """A network with its members and policy, as input of the firewall."""

    id: int
    members: tuple[Member, ...]
    policy: Policy = OPEN


def relay_table(segments: Sequence[Segment], interface: str) -> str:
    """Return the relay's ruleset: forwarding as allowed by the networks' policies.

    The set ``talks`` remembers which members talk, so that those try to do so directly.
    """
    hook = "type filter hook forward priority 0; policy accept;"
    lines = [
        "\tset talks {",
        "\t\ttype ipv6_addr . ipv6_addr",
        f"\t\tsize {MOST_TALKS}",
        "\t\tflags dynamic,timeout",
        f"\t\ttimeout {TALK_SECONDS}s",
        "\t}",
    ]
    jumps: list[str] = []
    for segment in segments:
        everybody = _name(segment, "all")
        lines += _set(everybody, segment.members)
        _jump(jumps, segment, f"ip6 saddr @{everybody} ip6 daddr @{everybody}")
        lines += _policy(segment)
    return _table(
        lines,
        jumps,
        [
            f"\tchain forward {{\n\t\t{hook}",
            f'\t\tiifname "{interface}" oifname "{interface}"'
            " update @talks { ip6 saddr . ip6 daddr }",
            f'\t\tiifname "{interface}" oifname "{interface}" jump members',
            # Drop traffic between the overlay and the relay's own networks, both ways.
            f'\t\tiifname "{interface}" drop',
            f'\t\toifname "{interface}" drop\n\t}}',
        ],
    )


def member_table(segments: Sequence[Segment], address: str) -> str:
    """Return a member's ruleset: what may reach it, by the relay or directly.

    It alone protects the member from a direct peer, which may send to any address. The set
    ``used`` remembers from which members something came: their ways are watched closely.
    """
    lines = [
        "\tset used {",
        "\t\ttype ipv6_addr",
        f"\t\tsize {MOST_USED}",
        "\t\tflags dynamic,timeout",
        f"\t\ttimeout {USED_SECONDS}s",
        "\t}",
    ]
    jumps: list[str] = []
    is_open = all(one.policy.is_open for one in segments)
    for segment in () if is_open else segments:
        everybody = _name(segment, "all")
        lines += _set(everybody, segment.members)
        _jump(jumps, segment, f"ip6 saddr @{everybody}")
        lines += _policy(segment, me=_member_at(segment, address))
    filter_hook = "priority 0; policy accept;"
    return _table(
        lines,
        ["\t\taccept"] if is_open else jumps,
        [
            f"\tchain input {{\n\t\ttype filter hook input {filter_hook}",
            f"\t\t{INTERFACES} ip6 saddr fe80::/10 ip6 daddr fe80::/10 {ECHO} accept",
            f"\t\t{INTERFACES} ip6 daddr != {address} drop",
            f"\t\t{INTERFACES} update @used {{ ip6 saddr }}",
            f"\t\t{INTERFACES} jump members\n\t}}",
            f"\tchain forward {{\n\t\ttype filter hook forward {filter_hook}",
            f"\t\t{INTERFACES} drop\n\t}}",
        ],
    )


def _member_at(segment: Segment, address: str) -> Member:
    return next(one for one in segment.members if one.address == address)


def _jump(jumps: list[str], segment: Segment, pair: str) -> None:
    if segment.policy.is_open:
        jumps.append(f"\t\t{pair} accept")
        return
    jumps.append(f"\t\t{pair} ct state established,related accept")
    jumps.append(f"\t\t{pair} jump n{segment.id}")


def _table(lines: list[str], jumps: list[str], chains: list[str]) -> str:
    return "\n".join(
        [
            f"table {TABLE}",
            f"delete table {TABLE}",
            f"table {TABLE} {{",
            *lines,
            "\tchain members {",
            *jumps,
            "\t\treject with icmpv6 type admin-prohibited",
            "\t}",
            *chains,
            "}",
            "",
        ]
    )


def _policy(segment: Segment, me: Member | None = None) -> Iterator[str]:
    """Yield the sets and the chain of a policy: for all its members, or for traffic to one."""
    if segment.policy.is_open:
        return
    rules = [
        one for one in segment.policy.rules if me is None or me.is_among(one.targets)
    ]  # fmt: skip
    names: dict[tuple[str, ...], str] = {("*",): _name(segment, "all")}
    for rule in rules:
        for selectors in (rule.sources,) if me else (rule.sources, rule.targets):
            if selectors not in names:
                names[selectors] = _name(segment, str(len(names)))
                chosen = [one for one in segment.members if one.is_among(selectors)]
                yield from _set(names[selectors], chosen)
    yield f"\tchain n{segment.id} {{"
    for rule in rules:
        pair = f"ip6 saddr @{names[rule.sources]}"
        if me is None:
            pair += f" ip6 daddr @{names[rule.targets]}"
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
