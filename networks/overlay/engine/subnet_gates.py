"""The part of a member's ruleset that guards the subnets behind it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

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
from networks.overlay.engine.subnets import Subnet


@dataclass(slots=True)
class Gate:
    """The part of a member's ruleset that guards its subnets."""

    subnets: Sequence[Subnet]
    jumps: list[str] = field(default_factory=list)

    def add(self, segment: Segment, address: str) -> Iterator[str]:
        """Add a segment's own subnets. Yields the sets and chains for them."""
        lans = {one.name: one.lan for one in self.subnets}
        sets = Sets(segment, prefix=f"n{segment.id}_s")
        chains: list[str] = []
        own = [one for one in segment.subnets if one.behind == address and one.name in lans]
        for number, subnet in enumerate(own):
            family = V6 if subnet.address else V4
            to, by = f"n{segment.id}_to_{number}", f"n{segment.id}_by_{number}"
            original = f"ct original {family.word}"
            self.jumps.append(f"\t\t{original} daddr {family.of(subnet)} jump {to}")
            chains += chain(to, segment, sets, View(is_original=True, target=subnet))
            # Hosts that a rule lets begin connections get the replies.
            self.jumps.append(
                f"\t\tct direction reply {original} saddr {lans[subnet.name]} jump {by}"
            )
            chains += chain(by, segment, sets, View(is_original=True, source=subnet))
        yield from sets.lines
        yield from chains

    def targets(self) -> Iterator[str]:
        for one in self.subnets:
            yield f"ct original {_word(one)} daddr {one.prefix} "

    def chains(self) -> Iterator[str]:
        if not self.subnets:
            return
        yield "\tchain subnets {"
        yield from (f"\t\t{one} ct state related accept" for one in ERRORS)
        yield from self.jumps
        yield "\t}"
        yield from self._translated()

    def _translated(self) -> Iterator[str]:
        """Yield the chains that map subnets to what others know, and hide who asks."""
        mapped = [one for one in self.subnets if one.prefix != one.lan]
        yield "\tchain lead {\n\t\ttype nat hook prerouting priority -100;"
        for one in mapped:
            word = _word(one)
            yield (
                f"\t\t{INTERFACES} {word} daddr {one.prefix} dnat {word} prefix to "
                f"{word} daddr map {{ {one.prefix} : {one.lan} }}"
            )
        yield "\t}"
        yield "\tchain leave {\n\t\ttype nat hook postrouting priority 100;"
        for one in mapped:
            word = _word(one)
            yield (
                f'\t\toifname "muster*" {word} saddr {one.lan} snat {word} prefix to '
                f"{word} saddr map {{ {one.lan} : {one.prefix} }}"
            )
        for one in self.subnets:
            if one.masquerade:
                to = f"ct original {_word(one)} daddr {one.prefix}"
                yield f'\t\toifname != "muster*" {to} masquerade'
        yield "\t}"


def _word(subnet: Subnet) -> str:
    return V6.word if ":" in subnet.prefix else V4.word


def forwarded(gate: Gate) -> Iterator[str]:
    """Yield the rules for what goes to the member's subnets, and for what comes back."""
    if not gate.subnets:
        return
    yield f"\t\t{INTERFACES} update @used {{ ip6 saddr }}"
    yield f"\t\t{INTERFACES} update @used_v4 {{ ip saddr }}"
    yield f'\t\t{INTERFACES} oifname != "muster*" jump subnets'
    for target in gate.targets():
        back = f'\t\toifname "muster*" ct direction reply {target}'
        yield f"{back}jump subnets"
        yield f"{back}drop"
