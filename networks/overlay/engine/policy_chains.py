"""Chains of nftables rules that decide as a policy does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from networks.overlay.engine.policies import OPEN, Member, Policy, Rule

# All interfaces of the overlay.
INTERFACES = 'iifname "muster*"'
ERRORS = (
    "icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem }",
    "icmp type { destination-unreachable, time-exceeded, parameter-problem }",
)


@dataclass(frozen=True, slots=True)
class Family:
    word: str
    type: str
    suffix: str
    icmp: str

    def of(self, member: Member) -> str:
        return member.address if self.word == "ip6" else member.address4


V6 = Family("ip6", "ipv6_addr", "", "ipv6-icmp")
V4 = Family("ip", "ipv4_addr", "_v4", "icmp")


@dataclass(frozen=True, slots=True)
class Segment:
    """A network with its members, their subnets and its policy, as input of the firewall."""

    id: int
    members: tuple[Member, ...]
    policy: Policy = OPEN
    subnets: tuple[Member, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.policy.is_open and not self.subnets

    @property
    def everything(self) -> tuple[Member, ...]:
        return (*self.members, *self.subnets)

    @property
    def families(self) -> tuple[Family, ...]:
        return (V6, V4) if any(one.address4 for one in self.everything) else (V6,)


@dataclass(slots=True)
class Sets:
    """The address sets of a segment, each of which is written once."""

    segment: Segment
    prefix: str = ""
    lines: list[str] = field(default_factory=list)
    names: dict[tuple[Member, ...], str] = field(default_factory=dict)

    def name_of(self, chosen: tuple[Member, ...]) -> str:
        if chosen not in self.names:
            number = "all" if chosen == self.segment.members else str(len(self.names))
            prefix = self.prefix or f"n{self.segment.id}"
            self.names[chosen] = f"{prefix}_{number}"
            for family in self.segment.families:
                self.lines += set_lines(f"{self.names[chosen]}{family.suffix}", family, chosen)
        return self.names[chosen]

    def selected(self, selectors: Iterable[str], *, as_source: bool = False) -> str:
        return self.name_of(
            tuple(
                one
                for one in self.segment.everything
                if one.is_among(selectors, as_source=as_source)
            )
        )


@dataclass(frozen=True, slots=True)
class View:
    """What a chain judges: packets, or the packet that began their connection.

    An end that is given is not matched: the chain is that of this member alone.
    """

    is_original: bool = False
    source: Member | None = None
    target: Member | None = None

    def ends(self, family: Family, source: str, target: str) -> str:
        prefix = f"ct original {family.word}" if self.is_original else family.word
        found = [] if self.source else [f"{prefix} saddr @{source}{family.suffix} "]
        if not self.target:
            found.append(f"{prefix} daddr @{target}{family.suffix} ")
        return "".join(found)

    def concerns(self, rule: Rule) -> bool:
        is_from = self.source is None or self.source.is_among(rule.sources, as_source=True)
        return is_from and (self.target is None or self.target.is_among(rule.targets))


def chain(name: str, segment: Segment, sets: Sets, view: View) -> Iterator[str]:
    """Yield the chain of a policy, from a view."""
    yield f"\tchain {name} {{"
    for rule in segment.policy.rules:
        if not view.concerns(rule):
            continue
        source = "" if view.source else sets.selected(rule.sources, as_source=True)
        target = "" if view.target else sets.selected(rule.targets)
        # `return`, not `drop`: another network that both share may still allow it.
        verdict = "accept" if rule.action == "allow" else "return"
        for family in segment.families:
            ends = view.ends(family, source, target)
            for what in _traffic(rule, family, is_original=view.is_original):
                yield f"\t\t{ends}{what}{verdict}"
    if segment.policy.default == "allow" and not (view.source and view.source.behind):
        members = sets.name_of(segment.members)
        both = sets.name_of(segment.everything)
        for family in segment.families:
            yield f"\t\t{view.ends(family, members, both)}accept"
    yield "\t\treturn\n\t}"


def _traffic(rule: Rule, family: Family, *, is_original: bool) -> Iterator[str]:
    protocol = family.icmp if rule.protocol == "icmp" else rule.protocol
    named = f"meta l4proto {protocol} "
    if protocol == "any":
        yield ""
    elif rule.ports:
        ports = ", ".join(
            str(low) if low == high else f"{low}-{high}" for low, high in rule.ports
        )
        which = f"{named}ct original proto-dst" if is_original else f"{protocol} dport"
        yield f"{which} {{ {ports} }} "
    else:
        yield named


def set_lines(name: str, family: Family, members: Iterable[Member]) -> list[str]:
    addresses = sorted({text for one in members if (text := family.of(one))})
    flags = " flags interval;" if any("/" in one for one in addresses) else ""
    elements = f" elements = {{ {', '.join(addresses)} }};" if addresses else ""
    return [f"\tset {name} {{ type {family.type};{flags}{elements} }}"]
