"""Networks of a ZeroTier controller."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from controller.vpn.engine import rendering, schemas
from controller.vpn.engine.contract import Facts, Json, Peer, Rendered, packed
from networks.ipam.engine import addresses

KEY = "zerotier"


@cache
def schema() -> dict[str, Any]:
    return schemas.zerotier()


def check(config: Json) -> None:
    rendering.check(schema(), config)


def render(config: Json, facts: Facts, _: Sequence[Peer] = ()) -> Rendered:
    complete = {**config, KEY: [network(config, facts)]}
    return packed(rendering.files(rendering.ZeroTier, complete, facts.variables))


def network(config: Json, facts: Facts) -> dict[str, Any]:
    """Return the network's settings for the controller."""
    told = {**config[KEY][0], "name": facts.name}
    if facts.network_id:
        told |= {"id": facts.network_id, "nwid": facts.network_id}
    if facts.subnet:
        net = addresses.network(facts.subnet)
        hosts = addresses.hosts(net)
        first, last = (addresses.as_text(net.version, one) for one in (hosts.first, hosts.last))
        told["routes"] = [{"target": facts.subnet, "via": None}]
        told["ipAssignmentPools"] = [{"ipRangeStart": first, "ipRangeEnd": last}]
    return told
