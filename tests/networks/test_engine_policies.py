import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.overlay.engine import policies
from networks.overlay.engine.firewall import member_table, relay_table
from networks.overlay.engine.policies import BadPolicy, Member, parse, parse_tests
from networks.overlay.engine.policy_chains import Segment

LAPTOP = Member("laptop", "fc94::1", frozenset({"staff"}))
SERVER = Member("server", "fc94::2", frozenset({"web"}))
LAN = Member("lan", "fd00::/64", behind="fc94::2")
GUEST = Member("guest", "fc94::3", frozenset({"guest"}))
EVERYBODY = [LAPTOP, SERVER, GUEST]

WEB = {
    "default": "deny",
    "rules": [
        {"action": "deny", "from": ["tag:guest"], "to": ["*"]},
        {"action": "allow", "from": ["*"], "to": ["tag:web"], "protocol": "tcp", "ports": ["80", "8000-8010"]},
        {"action": "allow", "from": ["tag:staff"], "to": ["server"], "protocol": "icmp"},
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "target", "protocol", "port", "expected"),
    [
        (LAPTOP, SERVER, "tcp", 80, "allow"),
        (LAPTOP, SERVER, "tcp", 8010, "allow"),
        (LAPTOP, SERVER, "tcp", 8011, "deny"),
        (LAPTOP, SERVER, "udp", 80, "deny"),
        (LAPTOP, SERVER, "icmp", 0, "allow"),
        (SERVER, LAPTOP, "icmp", 0, "deny"),
        (GUEST, SERVER, "tcp", 80, "deny"),
    ],
)
def test_the_first_rule_that_fits_decides(
    source: Member, target: Member, protocol: str, port: int, expected: str
) -> None:
    assert policies.decision(parse(WEB), source, target, protocol, port)[0] == expected


def test_a_matrix_says_who_reaches_whom() -> None:
    assert policies.matrix(parse(WEB), EVERYBODY) == [
        ["self", "some", "none"],
        ["none", "self", "none"],
        ["none", "none", "self"],
    ]
    assert policies.matrix(policies.OPEN, EVERYBODY)[0] == ["self", "all", "all"]


def test_a_test_that_is_not_met_names_the_rule_that_decided() -> None:
    tests = parse_tests(
        [
            {"from": "laptop", "to": "server", "protocol": "tcp", "port": 80, "expect": "allow"},
            {"from": "guest", "to": "server", "protocol": "tcp", "port": 80, "expect": "allow"},
            {"from": "laptop", "to": "guest", "expect": "allow"},
            {"from": "nobody", "to": "guest", "expect": "deny"},
        ]
    )  # fmt: skip
    assert list(policies.failures(parse(WEB), tests, EVERYBODY)) == [
        "Test 2 expects allow for tcp 80 from guest to server, and rule 1 says deny.",
        "Test 3 expects allow for icmp from laptop to guest, and the default says deny.",
        "Test 4 names nobody, which is no member.",
    ]


@pytest.mark.parametrize(
    "bad",
    [
        [], "x", None, {"defaults": "allow"}, {"default": "maybe"}, {"rules": {}},
        {"rules": [7]}, {"rules": [{"action": "drop"}]},
        {"rules": [{"action": "allow", "from": []}]},
        {"rules": [{"action": "allow", "from": ["a b"]}]},
        {"rules": [{"action": "allow", "to": "server"}]},
        {"rules": [{"action": "allow", "protocol": "sctp"}]},
        {"rules": [{"action": "allow", "ports": ["80"]}]},
        {"rules": [{"action": "allow", "protocol": "tcp", "ports": "80"}]},
        {"rules": [{"action": "allow", "protocol": "tcp", "ports": ["80-70"]}]},
        {"rules": [{"action": "allow", "protocol": "tcp", "ports": ["0"]}]},
        {"rules": [{"action": "allow", "protocol": "tcp", "ports": [True]}]},
        {"rules": [{"action": "allow", "protocol": "tcp", "ports": ["70000"]}]},
        {"rules": [{"action": "allow"}] * 201},
    ],
)  # fmt: skip
def test_a_bad_policy_is_told_where_it_is_bad(bad: Any) -> None:
    with pytest.raises(BadPolicy):
        parse(bad)


@pytest.mark.parametrize(
    "bad",
    [
        {}, ["x"], [{"from": "a", "to": "b"}], [{"from": "a", "to": 7, "expect": "deny"}],
        [{"from": "a", "to": "b", "expect": "deny", "protocol": "tcp"}],
        [{"from": "a", "to": "b", "expect": "deny", "protocol": "any"}],
    ],
)  # fmt: skip
def test_a_bad_test_is_told_where_it_is_bad(bad: Any) -> None:
    with pytest.raises(BadPolicy):
        parse_tests(bad)


class Ruleset:
    """Evaluates a flow's first packet, or a reply, for the subset of nftables we generate."""

    def __init__(self, table: str, protocol: str, port: int, *, is_reply: bool = False) -> None:
        self.is_reply = is_reply
        self.sets = {
            name: set(elements.split(", "))
            for name, elements in re.findall(r"set (\S+) \{.*?elements = \{ (.*?) \}", table)
        }
        self.chains = {
            name: body.strip().splitlines()
            for name, body in re.findall(r"chain (\S+) \{\n(.*?)\n\t\}", table, re.DOTALL)
        }
        self.protocol, self.port = protocol, port

    def fits(self, line: str, source: Member, target: Member) -> bool:
        if "ct state" in line or ("ct direction reply" in line and not self.is_reply):
            return False
        sent = (target, source) if self.is_reply else (source, target)
        found = re.findall(r"(ct original )?(ip6?) (saddr|daddr) @(\S+)", line)
        for original, family, side, name in found:
            member = (source, target) if original else sent
            one = member[side == "daddr"]
            address = one.address if family == "ip6" else one.address4
            if address not in self.sets.get(name, ()):
                return False
        return self.carries(line)

    def carries(self, line: str) -> bool:
        found = re.search(r"meta l4proto (\S+)", line)
        if found and found[1].removeprefix("ipv6-") != self.protocol:
            return False
        # A reply comes from the port, and goes to one that no rule names.
        if self.is_reply and " dport " in line:
            return False
        if found := re.search(r"(tcp|udp) (?:dport|ct original proto-dst) \{ (.*?) \}", line):
            ranges = (part.partition("-") for part in found[2].split(", "))
            return found[1] == self.protocol and any(
                int(low) <= self.port <= int(high or low) for low, _, high in ranges
            )
        return True

    def run(self, chain: str, source: Member, target: Member) -> bool | None:
        for line in map(str.strip, self.chains[chain]):
            if not self.fits(line, source, target):
                continue
            if found := re.search(r"jump (\S+)$", line):
                if (said := self.run(found[1], source, target)) is not None:
                    return said
            else:
                return {"accept": True, "return": None}.get(line.split()[-1], False)
        return None


def passes(
    table: str, source: Member, target: Member, protocol: str, port: int, *,
    is_reply: bool = False,
) -> bool:  # fmt: skip
    """Return whether a packet to `target` passes, or a reply of `target` to one."""
    ruleset = Ruleset(table, protocol, port, is_reply=is_reply)
    return bool(ruleset.run("members", source, target))


selectors = st.lists(
    st.sampled_from(
        [
            "*", "laptop", "server", "guest", "tag:staff", "tag:web", "tag:guest",
            "subnet:lan", "subnet:*",
        ]
    ),
    min_size=1, max_size=2,
)  # fmt: skip
rules = st.one_of(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["allow", "deny"]), "from": selectors, "to": selectors},
        optional={"protocol": st.sampled_from(["any", "icmp", "tcp", "udp"])},
    ),
    st.fixed_dictionaries(
        {
            "action": st.sampled_from(["allow", "deny"]), "from": selectors, "to": selectors,
            "protocol": st.sampled_from(["tcp", "udp"]),
            "ports": st.lists(st.sampled_from(["22", "80", "70-90"]), min_size=1, max_size=2),
        }
    ),
)  # fmt: skip
some_policy = st.fixed_dictionaries(
    {"default": st.sampled_from(["allow", "deny"]), "rules": st.lists(rules, max_size=4)}
)


@given(some_policy, st.permutations(EVERYBODY), st.sampled_from(["tcp", "udp", "icmp"]),
       st.sampled_from([22, 79, 80, 91]))  # fmt: skip
def test_the_firewall_does_what_the_policy_says(
    data: Any, order: list[Member], protocol: str, port: int
) -> None:
    policy = parse(data)
    source, target, *_ = order
    table = relay_table([Segment(1, tuple(EVERYBODY), policy, (LAN,))], "muster0")
    said, _ = policies.decision(policy, source, target, protocol, port)
    assert passes(table, source, target, protocol, port) == (said == "allow")


@given(some_policy, st.permutations([*EVERYBODY, LAN]), st.sampled_from(["tcp", "udp", "icmp"]),
       st.sampled_from([22, 79, 80, 91]))  # fmt: skip
def test_a_reply_passes_as_long_as_what_it_answers_is_allowed(
    data: Any, order: list[Member], protocol: str, port: int
) -> None:
    policy = parse(data)
    source, target, *_ = order
    segment = Segment(1, tuple(EVERYBODY), policy, (LAN,))
    # What the other end may send anyway is a reply that nobody has to allow.
    allowed = "allow" in {
        policies.decision(policy, source, target, protocol, port)[0],
        policies.decision(policy, target, source, protocol, 0)[0],
    }
    tables = [relay_table([segment], "muster0")]
    if source is not LAN:
        tables.append(member_table([segment], source.address))
    for table in tables:
        assert passes(table, source, target, protocol, port, is_reply=True) == allowed


def test_a_subnet_is_a_target_of_all_and_a_source_only_by_its_name() -> None:
    policy = parse({})
    assert policies.decision(policy, LAPTOP, LAN, "tcp", 80)[0] == "allow"
    assert policies.decision(policy, LAN, LAPTOP, "tcp", 80)[0] == "deny"
    table = relay_table([Segment(1, (LAPTOP, SERVER), policy, (LAN,))], "muster0")
    assert passes(table, LAPTOP, LAN, "tcp", 80)
    assert not passes(table, LAN, LAPTOP, "tcp", 80)
    named = parse({"rules": [{"action": "allow", "from": ["subnet:lan"], "to": ["*"]}]})
    assert policies.decision(named, LAN, LAPTOP, "tcp", 80)[0] == "allow"


@given(some_policy, some_policy, st.permutations(EVERYBODY),
       st.sampled_from(["tcp", "udp", "icmp"]), st.sampled_from([22, 79, 80, 91]))  # fmt: skip
def test_a_member_lets_in_directly_what_the_relay_lets_through(
    first: Any, second: Any, order: list[Member], protocol: str, port: int
) -> None:
    source, target, _ = order
    both = [
        Segment(1, tuple(EVERYBODY), parse(first)), Segment(2, (source, target), parse(second))
    ]  # fmt: skip
    relayed = passes(relay_table(both, "muster0"), source, target, protocol, port)
    assert passes(member_table(both, target.address), source, target, protocol, port) == relayed


@given(some_policy)
def test_a_pair_is_let_through_exactly_if_something_is_allowed_in_a_direction(
    data: Any,
) -> None:
    policy = parse(data)
    everything = [
        policies.decision(policy, *ends, protocol, port)[0]
        for ends in ((LAPTOP, SERVER), (SERVER, LAPTOP))
        for protocol in ("tcp", "udp", "icmp")
        for port in range(1, 100)
    ]
    assert policies.lets_through(policy, LAPTOP, SERVER) == ("allow" in everything)


def test_a_member_is_told_only_of_rules_that_lead_to_it() -> None:
    policy = parse(
        {
            "default": "deny",
            "rules": [
                {"action": "allow", "from": ["tag:staff"], "to": ["server"]},
                {"action": "allow", "from": ["guest"], "to": ["laptop"]},
            ],
        }
    )
    table = member_table([Segment(1, tuple(EVERYBODY), policy)], SERVER.address)
    chain = table.split("chain n1 {")[1].split("}")[0]
    assert chain.count("accept") == 1


def test_ipv4_is_judged_as_ipv6_is() -> None:
    policy = parse({"default": "deny", "rules": [{"action": "allow", "from": ["one"]}]})
    one, other = Member("one", "fc94::1", address4="10.64.0.1"), Member("other", "fc94::2")
    table = relay_table([Segment(1, (one, other), policy)], "muster0")
    assert "set n1_1_v4 { type ipv4_addr; elements = { 10.64.0.1 }; }" in table
    assert "ip saddr @n1_1_v4 ip daddr @n1_all_v4 accept" in table
    mine = member_table([Segment(1, (one, other), policy)], "fc94::1")
    assert 'iifname "muster*" ip daddr != { 10.64.0.1 } drop' in mine
    theirs = member_table([Segment(1, (other,))], "fc94::2")
    assert 'iifname "muster*" meta nfproto ipv4 drop' in theirs


def test_what_one_network_denies_another_may_allow() -> None:
    deny = Segment(1, (LAPTOP, SERVER), parse({"default": "deny"}))
    allow = Segment(2, (SERVER, LAPTOP))
    assert not passes(relay_table([deny], "m"), LAPTOP, SERVER, "tcp", 80)
    for both in ([deny, allow], [allow, deny]):
        assert passes(relay_table(both, "m"), LAPTOP, SERVER, "tcp", 80)


def test_members_of_different_networks_are_kept_apart() -> None:
    apart = [Segment(1, (LAPTOP,)), Segment(2, (SERVER,))]
    assert not passes(relay_table(apart, "m"), LAPTOP, SERVER, "icmp", 0)


def test_a_direct_peer_reaches_nothing_but_the_member_itself() -> None:
    table = member_table([Segment(1, (LAPTOP, SERVER))], SERVER.address)
    assert f'iifname "muster*" ip6 daddr != {SERVER.address} drop' in table
    assert 'hook forward priority 0; policy accept;\n\t\tiifname "muster*" drop' in table
