"""The state of a pair, from what its ends say and what time it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from networks.overlay.engine import ways, ways_lines
from networks.overlay.engine.ways import Candidate, End, Evidence, Pair

NOW = 1_000_000.0


def end(host: str = "203.0.113.1", port: int = 20001, **values: object) -> End:
    known = {"port": 20001, "sightings": (f"{host}:{port}",), "addresses": ("10.0.0.2",)}
    return End(**(known | values))  # type: ignore[arg-type]


ONE, OTHER = end(), end("203.0.113.2")
SYMMETRIC = replace(ONE, sightings=("203.0.113.1:1025", "203.0.113.1:1026"))
SYMMETRIC_TOO = replace(OTHER, sightings=("203.0.113.2:1025", "203.0.113.2:1026"))


def trying(**values: object) -> Pair:
    return replace(ways.step(Pair(used=NOW), ONE, OTHER, NOW), **values)  # type: ignore[arg-type]


def said(pair: Pair, low: str, high: str, at: float = NOW) -> Pair:
    return replace(
        pair,
        low=Evidence(low, pair.round, at),  # type: ignore[arg-type]
        high=Evidence(high, pair.round, at),  # type: ignore[arg-type]
    )


hosts = st.sampled_from(["203.0.113.1", "203.0.113.2"])
ports = st.sampled_from([20001, 1025, 1026])
ends = st.builds(
    End,
    port=st.just(20001),
    fixed=st.sampled_from(["", "203.0.113.9:51820"]),
    sightings=st.lists(st.builds("{}:{}".format, hosts, ports), max_size=2).map(tuple),
    addresses=st.lists(
        st.sampled_from(["10.0.0.2", "192.168.1.7", "9.9.9.9", "2001:db8::7", "2a00::1"]),
        max_size=3, unique=True,
    ).map(tuple),
    mapped_port=st.sampled_from([0, 80, 40001]),
    unable=st.sampled_from(["", "", "", "static", "silent", "nft"]),
)  # fmt: skip
words = st.sampled_from(["", "trying", "direct", "failed", "relay"])


@given(
    ends, ends,
    st.lists(st.tuples(words, words, st.integers(0, 3), st.floats(0, 2000)), max_size=30),
)  # fmt: skip
def test_whatever_ends_say_a_pair_is_direct_only_if_both_said_so(
    low: End, high: End, story: list[tuple[str, str, int, float]]
) -> None:
    pair, now = Pair(used=NOW), NOW
    for one, other, behind, later in story:
        before, now = pair, now + later
        spoken = replace(
            pair,
            low=Evidence(one, pair.round - behind, now),  # type: ignore[arg-type]
            high=Evidence(other, pair.round, now),  # type: ignore[arg-type]
        )
        pair = ways.step(spoken, low, high, now)
        if pair.state == "direct" and before.state != "direct":
            assert (one, other, behind) == ("direct", "direct", 0)
        assert pair.round - before.round in {0, 1}
        if ways.obstacle(low, high) and before.state != "direct":
            assert not pair.is_told
            assert pair.reason
        if pair.state == "relay" and not ways.obstacle(low, high):
            assert pair.next_try is not None
        # Nothing happens twice: the same facts at the same moment change nothing more.
        again = ways.step(pair, low, high, now)
        assert (again.round, again.state) == (pair.round, pair.state)


@given(ends, ends)
def test_candidates_are_addresses_of_the_partner_alone(low: End, high: End) -> None:
    found = ways.candidates(high, low)
    hosts = {ways.split_endpoint(one.endpoint)[0] for one in found}
    fixed = {ways.split_endpoint(high.fixed)[0]} if high.fixed else set()
    assert hosts <= high.outside | set(high.addresses) | fixed
    assert len({one.endpoint for one in found}) == len(found) <= ways.MOST_CANDIDATES
    if not high.outside & low.outside:
        assert not {"10.0.0.2", "192.168.1.7"} & hosts
    # A public address counts when a relay sees it, never by a member's own word.
    assert "9.9.9.9" not in hosts


def test_the_addresses_of_a_common_lan_come_first_and_go_to_nobody_else() -> None:
    neighbor = end(addresses=("10.0.0.3",))
    assert ways.candidates(neighbor, ONE)[0] == Candidate("lan", "10.0.0.3:20001")
    assert ways.candidates(OTHER, ONE) == (Candidate("observed", "203.0.113.2:20001"),)


def test_a_mapped_port_is_used_at_the_address_that_relays_see() -> None:
    mapped = replace(SYMMETRIC_TOO, mapped_port=40001)
    assert Candidate("mapped", "203.0.113.2:40001") in ways.candidates(mapped, ONE)
    assert ways.obstacle(SYMMETRIC, mapped) == ""


@pytest.mark.parametrize(
    ("low", "high", "why"),
    [
        (SYMMETRIC, SYMMETRIC_TOO, "symmetric"),
        (SYMMETRIC, OTHER, ""),
        (replace(ONE, sightings=()), OTHER, "udp:low"),
        (ONE, replace(OTHER, sightings=()), "udp:high"),
        (ONE, replace(OTHER, unable="static"), "static:high"),
        (replace(ONE, addresses=("2a00::1",)), replace(SYMMETRIC_TOO, addresses=("2a01::1",)), ""),
        (replace(ONE, unable="nft"), OTHER, "nft:low"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_not_tried_and_says_why(low: End, high: End, why: str) -> None:
    assert ways.obstacle(low, high) == why
    pair = ways.step(Pair(used=NOW), low, high, NOW)
    assert (pair.state, pair.reason) == (("relay", why) if why else ("trying", ""))
    if why:
        text = ways.sentence(why, "robot", "laptop")
        assert text.endswith(".")
        assert "{" not in text


@pytest.mark.parametrize(
    ("known", "kind"),
    [
        (End(20001), "blocked"),
        (ONE, "keeps"),
        (end(port=45000), "shifts"),
        (SYMMETRIC, "symmetric"),
        (end(addresses=("203.0.113.1",)), "open"),
        (End(20001, fixed="vpn.example.org:51820"), "open"),
    ],
)
def test_the_kind_of_a_router_follows_from_sightings(known: End, kind: str) -> None:
    assert ways.nat_of(known) == kind


def test_the_word_of_one_end_proves_nothing_and_takes_nothing_back() -> None:
    half = ways.step(said(trying(), "direct", "trying"), ONE, OTHER, NOW + 1)
    assert half.state == "trying"
    both = ways.step(said(half, "direct", "direct"), ONE, OTHER, NOW + 2)
    assert both.state == "direct"
    still = ways.step(said(both, "trying", "direct"), ONE, OTHER, NOW + 3)
    assert still.state == "direct"


def test_failures_are_followed_by_silence_that_grows_and_that_no_router_outlasts() -> None:
    pair, now, pauses = trying(), NOW, []
    for _ in range(6):
        pair = ways.step(said(pair, "failed", "failed"), ONE, OTHER, now)
        assert (pair.state, pair.reason) == ("relay", "tried")
        assert pair.next_try is not None
        pauses.append(pair.next_try - now)
        now = pair.next_try
        pair = replace(pair, used=now)
        pair = ways.step(pair, ONE, OTHER, now)
        assert pair.state == "trying"
    assert pauses[0] > 30
    assert pauses == sorted(pauses)
    assert pauses[-1] == ways.PAUSES[-1]


def test_after_a_failure_the_ends_take_turns_in_sending_first() -> None:
    first = trying()
    assert ways.delay_of(first, is_low=True) == ways.delay_of(first, is_low=False) == 0
    second, third = replace(first, tries=1), replace(first, tries=2)
    assert ways.delay_of(second, is_low=True) == 0 < ways.delay_of(second, is_low=False)
    assert ways.delay_of(third, is_low=False) == 0 < ways.delay_of(third, is_low=True)


def test_a_changed_address_is_tried_at_once_whatever_failed_before() -> None:
    failed = ways.step(said(trying(), "failed", "failed"), ONE, OTHER, NOW)
    moved = end("203.0.113.77")
    pair = ways.step(failed, moved, OTHER, NOW + 1)
    assert (pair.state, pair.tries) == ("trying", 0)
    direct = ways.step(said(pair, "direct", "direct"), moved, OTHER, NOW + 2)
    assert ways.step(direct, ONE, OTHER, NOW + 3).round == direct.round + 1


def test_a_way_that_breaks_is_tried_again_at_once_if_it_was_good() -> None:
    direct = ways.step(said(trying(), "direct", "direct"), ONE, OTHER, NOW)
    late = NOW + ways.STABLE_SECONDS
    assert ways.step(said(direct, "relay", "direct"), ONE, OTHER, late).state == "trying"
    flapping = ways.step(said(direct, "relay", "direct"), ONE, OTHER, NOW + 1)
    assert (flapping.state, flapping.reason) == ("relay", "lost")


def test_a_portal_that_was_away_ends_no_direct_way() -> None:
    direct = ways.step(said(trying(), "direct", "direct"), ONE, OTHER, NOW)
    silent = replace(OTHER, unable="silent")
    assert ways.step(direct, ONE, silent, NOW + 1).state == "direct"
    assert ways.step(direct, ONE, replace(OTHER, unable="nft"), NOW + 1).state == "relay"


def test_a_round_that_nobody_reports_of_ends_by_time() -> None:
    pair = trying()
    assert ways.due_at(pair) == NOW + ways.ROUND_SECONDS
    assert ways.step(pair, ONE, OTHER, NOW + ways.ROUND_SECONDS).state == "relay"
    assert not ways.is_over(pair, NOW + 1)
    assert ways.is_over(pair, NOW + ways.UNUSED_SECONDS + 1)


def test_a_report_is_read_line_by_line() -> None:
    report = ways_lines.read(
        "at 10.0.0.2 203.0.113.1 2a00::1 fe80::1 127.0.0.1 nonsense\n"
        "mapped 40001 3600\nable\n"
        "pair 7 3 direct 203.0.113.2:20001 0.8 used\n"
        "pair 8 1 failed - -\n"
        "pair x 1 failed\npair 9 1 dancing\nmapped 99999 1\n",
        NOW,
    )
    assert report.addresses == ("10.0.0.2", "203.0.113.1", "2a00::1")
    assert (report.mapped, report.unable) == ((40001, 3600), "")
    first, second = report.pairs
    assert first.evidence == Evidence("direct", 3, NOW, "203.0.113.2:20001", 0.8)
    assert (first.is_used, second.is_used) == (True, False)
    assert second.evidence == Evidence("failed", 1, NOW)


def test_a_relays_report_is_read_line_by_line() -> None:
    key = "A" * 43 + "="
    report = ways_lines.read(
        f"sight {key} 203.0.113.1:20001\nsight {key[:-1]}! 203.0.113.1:1\n"
        f"sight {key} 0.0.0.0:1\nsight {key} 127.0.0.1:1\ntalk fc94::1 fc94::02\n"
        f"talk fc94::1%x fc94::2\ncarried {key} 10 20\ncarried {key} -1 20\n",
        NOW,
    )
    assert report.sightings == {key: "203.0.113.1:20001"}
    assert report.talks == {("fc94::1", "fc94::2")}
    assert report.carried == {key: (10, 20)}


@given(st.text(max_size=300), st.lists(st.sampled_from(["pair", "at", "sight", "talk", "mapped", "1", "-1", "٣", "[::1]:5", "a:b:c"]), max_size=9))  # fmt: skip
def test_no_report_is_an_error(text: str, words: list[str]) -> None:
    ways_lines.read(f"{text}\n{' '.join(words)}", NOW)
