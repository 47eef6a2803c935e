import time
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as some

from networks.ipam.engine import addresses
from networks.ipam.engine.addresses import Range

SMALL = some.integers(24, 32).flatmap(
    lambda length: some.integers(0, 2**32 - 1).map(
        lambda number: ip_network((number, length), strict=False)
    )
)


def singles(numbers: set[int]) -> list[Range]:
    return [Range(one, one) for one in sorted(numbers)]


@given(SMALL, some.sets(some.integers(0, 300)), some.integers(1, 20))
def test_the_lowest_free_addresses_are_those_that_counting_finds(
    net: object, taken: set[int], many: int
) -> None:
    network = ip_network(str(net))
    start = int(network.network_address)
    used = {start + one for one in taken}
    counted = [int(host) for host in network.hosts() if int(host) not in used][:many]
    assert addresses.lowest_free(addresses.hosts(network), singles(used), many) == counted


@given(SMALL)
def test_hosts_are_those_of_the_standard_library(net: object) -> None:
    network = ip_network(str(net))
    hosts = [int(host) for host in network.hosts()]
    assert list(addresses.numbers([addresses.hosts(network)])) == hosts


def test_a_large_network_is_as_quick_as_a_small_one() -> None:
    network = ip_network("fd00::/8")
    started = time.process_time()
    found = addresses.lowest_free(addresses.hosts(network), [Range(0, 2**125)], 3)
    assert time.process_time() - started < 1
    assert [str(ip_address(one)) for one in found] == ["fd00::1", "fd00::2", "fd00::3"]


def test_free_blocks_begin_where_blocks_of_their_size_begin() -> None:
    net = ip_network("10.0.0.0/24")
    first = int(net.network_address)
    found = addresses.blocks(net, 28, [Range(first, first + 3), Range(first + 40, first + 40)])
    assert [str(one) for one in list(found)[:3]] == [
        "10.0.0.16/28", "10.0.0.48/28", "10.0.0.64/28",
    ]  # fmt: skip


@given(some.lists(some.ip_addresses(), min_size=2))
def test_keys_sort_as_addresses_do(found: list[object]) -> None:
    by_key = sorted(found, key=lambda one: addresses.key_of(str(one)))
    assert by_key == sorted(found, key=lambda one: (one.version, int(one)))  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["", "10.0.0.0/33", "nonsense", "10.0.0/24", "::/129"])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - as documented
        addresses.network(text)


def test_the_bits_of_a_host_do_not_matter() -> None:
    assert str(addresses.network("fdb6:21b:a477::9f7/64")) == "fdb6:21b:a477::/64"
