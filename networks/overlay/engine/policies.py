"""Access policies of networks: rules by name, tag, protocol and port.

A policy is JSON::

    {
        "default": "allow",
        "rules": [
            {
                "action": "deny",
                "from": ["tag:guest"],
                "to": ["*"],
                "protocol": "tcp",
                "ports": ["22", "8000-8010"],
            }
        ],
    }

The first matching rule decides, otherwise the default. Replies to allowed traffic always
pass, as long as the policy allows what they reply to. Subnets behind members are selected by
``subnet:name``; ``*`` in ``to`` has them too, but only a rule that names a subnet in ``from``
lets its hosts begin connections. A test is an assertion about the policy that must hold before the policy is stored::

    {"from": "laptop", "to": "server", "protocol": "tcp", "port": 22, "expect": "deny"}
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Action = Literal["allow", "deny"]
Protocol = Literal["tcp", "udp", "icmp", "any"]

ACTIONS = ("allow", "deny")
PROTOCOLS = ("any", "tcp", "udp", "icmp")
WITH_PORTS = ("tcp", "udp")
SELECTOR = re.compile(r"\*|tag:[a-z0-9-]{1,32}|subnet:(?:\*|[a-z0-9-]{1,63})|[a-z0-9-]{1,63}")
PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
HIGHEST_PORT = 65535
MOST_RULES = 200
# Probe of the matrix in addition to the ports named by the rules.
ICMP = ("icmp", 0)


class BadPolicy(ValueError):
    """Invalid policy or tests; the message names the place and the problem."""


@dataclass(frozen=True, slots=True)
class Rule:
    action: Action
    sources: tuple[str, ...]
    targets: tuple[str, ...]
    protocol: Protocol = "any"
    ports: tuple[tuple[int, int], ...] = ()

    def fits(self, source: "Member", target: "Member", protocol: str, port: int) -> bool:
        return (
            source.is_among(self.sources, as_source=True)
            and target.is_among(self.targets)
            and (self.protocol in {"any", protocol})
            and (not self.ports or any(low <= port <= high for low, high in self.ports))
        )


@dataclass(frozen=True, slots=True)
class Policy:
    default: Action = "allow"
    rules: tuple[Rule, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.default == "allow" and not self.rules


@dataclass(frozen=True, slots=True)
class Member:
    """A member, or a subnet behind one, with its addresses or prefixes."""

    name: str
    address: str
    tags: frozenset[str] = frozenset()
    address4: str = ""
    behind: str = ""
    """Overlay address of the member that leads to this subnet; empty for a member."""

    def is_among(self, selectors: Iterable[str], *, as_source: bool = False) -> bool:
        if self.behind:
            names = {"subnet:*", f"subnet:{self.name}"}
        else:
            names = {self.name, *(f"tag:{tag}" for tag in self.tags)}
        if not (self.behind and as_source):
            names.add("*")
        return not names.isdisjoint(selectors)


@dataclass(frozen=True, slots=True)
class Test:
    source: str
    target: str
    protocol: str
    port: int
    expect: Action


OPEN = Policy()


def parse(data: Any) -> Policy:
    """Parse a policy from JSON. Raises :class:`BadPolicy`."""
    if not isinstance(data, Mapping):
        raise BadPolicy("A policy is an object with default and rules.")
    _known(data, {"default", "rules"}, "The policy")
    default = data.get("default", "allow")
    if default not in ACTIONS:
        raise BadPolicy("default is allow or deny.")
    rules = data.get("rules", [])
    if not isinstance(rules, list) or len(rules) > MOST_RULES:
        raise BadPolicy(f"rules is a list of at most {MOST_RULES}.")
    return Policy(default, tuple(_rule(one, n) for n, one in enumerate(rules, start=1)))


def _rule(data: Any, number: int) -> Rule:
    where = f"Rule {number}"
    if not isinstance(data, Mapping):
        raise BadPolicy(f"{where} is an object.")
    _known(data, {"action", "from", "to", "protocol", "ports"}, where)
    if data.get("action") not in ACTIONS:
        raise BadPolicy(f"{where}: action is allow or deny.")
    protocol = data.get("protocol", "any")
    if protocol not in PROTOCOLS:
        raise BadPolicy(f"{where}: protocol is one of {', '.join(PROTOCOLS)}.")
    ports = data.get("ports", [])
    if ports and protocol not in WITH_PORTS:
        raise BadPolicy(f"{where}: only tcp and udp have ports.")
    if not isinstance(ports, list):
        raise BadPolicy(f'{where}: ports is a list, as in ["22", "8000-8010"].')
    return Rule(
        data["action"],
        _selectors(data.get("from", ["*"]), f"{where}: from"),
        _selectors(data.get("to", ["*"]), f"{where}: to"),
        protocol,
        tuple(_ports(one, where) for one in ports),
    )


def _known(data: Mapping[str, Any], names: set[str], where: str) -> None:
    if extra := sorted(set(data) - names):
        raise BadPolicy(f"{where} has no {extra[0]!r}: use {', '.join(sorted(names))}.")


def _selectors(data: Any, where: str) -> tuple[str, ...]:
    fits = isinstance(data, list) and data
    if not fits or not all(isinstance(one, str) and SELECTOR.fullmatch(one) for one in data):
        raise BadPolicy(
            f'{where} is a list of names of members, "tag:name", "subnet:name" or "*".'
        )
    return tuple(data)


def _ports(data: Any, where: str) -> tuple[int, int]:
    found = PORTS.fullmatch(str(data)) if isinstance(data, str | int) else None
    low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
    if isinstance(data, bool) or not 0 < low <= high <= HIGHEST_PORT:
        raise BadPolicy(f"{where}: {data!r} is no port or range of ports.")
    return low, high


def parse_tests(data: Any) -> tuple[Test, ...]:
    if not isinstance(data, list) or len(data) > MOST_RULES:
        raise BadPolicy(f"tests is a list of at most {MOST_RULES}.")
    return tuple(_test(one, number) for number, one in enumerate(data, start=1))


def _test(data: Any, number: int) -> Test:
    where = f"Test {number}"
    if not isinstance(data, Mapping):
        raise BadPolicy(f"{where} is an object.")
    _known(data, {"from", "to", "protocol", "port", "expect"}, where)
    protocol = data.get("protocol", "icmp")
    if protocol not in PROTOCOLS[1:]:
        raise BadPolicy(f"{where}: protocol is tcp, udp or icmp.")
    if data.get("expect") not in ACTIONS:
        raise BadPolicy(f"{where}: expect is allow or deny.")
    for side in ("from", "to"):
        if not isinstance(data.get(side), str):
            raise BadPolicy(f"{where}: {side} is the name of a member.")
    low, _ = _ports(data.get("port"), where) if protocol in WITH_PORTS else (0, 0)
    return Test(data["from"], data["to"], protocol, low, data["expect"])


def decision(
    policy: Policy, source: Member, target: Member, protocol: str, port: int
) -> tuple[Action, int | None]:
    """Return the action and the matching rule's number; None for the default."""
    for number, rule in enumerate(policy.rules, start=1):
        if rule.fits(source, target, protocol, port):
            return rule.action, number
    # Hosts of a subnet are no members: they begin nothing that no rule names.
    return ("deny" if source.behind else policy.default), None


def failures(policy: Policy, tests: Sequence[Test], members: Iterable[Member]) -> Iterator[str]:
    """Yield a message for each test that the policy does not pass."""
    by_name = {one.name: one for one in members}
    for number, test in enumerate(tests, start=1):
        missing = [one for one in (test.source, test.target) if one not in by_name]
        if missing:
            yield f"Test {number} names {missing[0]}, which is no member."
            continue
        said, rule = decision(
            policy, by_name[test.source], by_name[test.target], test.protocol, test.port
        )
        if said != test.expect:
            what = f"{test.protocol} {test.port}" if test.port else test.protocol
            because = f"rule {rule}" if rule else "the default"
            yield (
                f"Test {number} expects {test.expect} for {what} from {test.source} to "
                f"{test.target}, and {because} says {said}."
            )


def matrix(
    policy: Policy, members: Sequence[Member]
) -> list[list[Literal["all", "some", "none", "self"]]]:
    """Return the reachability matrix: one row per source, in the order of `members`."""
    asked = _probes(policy)
    rows: list[list[Literal["all", "some", "none", "self"]]] = []
    for source in members:
        row: list[Literal["all", "some", "none", "self"]] = []
        for target in members:
            said = {decision(policy, source, target, *one)[0] for one in asked}
            if source is target:
                row.append("self")
            elif len(said) > 1:
                row.append("some")
            else:
                row.append("all" if said == {"allow"} else "none")
        rows.append(row)
    return rows


def lets_through(policy: Policy, one: Member, other: Member) -> bool:
    """Return whether any traffic is allowed in at least one direction."""
    return any(
        decision(policy, source, target, *probe)[0] == "allow"
        for source, target in ((one, other), (other, one))
        for probe in _probes(policy)
    )


def _probes(policy: Policy) -> list[tuple[str, int]]:
    """Return one (protocol, port) for each interval distinguished by the rules."""
    edges = {1}
    for rule in policy.rules:
        for low, high in rule.ports:
            edges |= {low, min(high + 1, HIGHEST_PORT)}
    return [ICMP, *((protocol, port) for protocol in WITH_PORTS for port in sorted(edges))]
