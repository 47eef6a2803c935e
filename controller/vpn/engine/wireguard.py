"""Renderers of WireGuard servers, with and without VXLAN."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from controller.base.archive import File
from controller.vpn.engine import rendering, schemas
from controller.vpn.engine.contract import Facts, Json, Peer, Rendered, packed

KEY = "wireguard"
VXLAN_PEERS = "vxlan.json"


@cache
def schema() -> dict[str, Any]:
    return schemas.wireguard()


@cache
def vxlan_schema() -> dict[str, Any]:
    return schemas.vxlan()


def check(config: Json) -> None:
    rendering.check(schema(), config)


def check_vxlan(config: Json) -> None:
    rendering.check(vxlan_schema(), config)


def render(config: Json, facts: Facts, peers: Sequence[Peer] = ()) -> Rendered:
    return packed(_files(config, facts, peers))


def render_vxlan(config: Json, facts: Facts, peers: Sequence[Peer] = ()) -> Rendered:
    """Render WireGuard with a file that lists the server's VXLAN peers."""
    told = json.dumps(_vxlan_peers(config, peers), indent=4, sort_keys=True)
    files = [*_files(config, facts, peers), File(VXLAN_PEERS, 0o644, told.encode())]
    return packed(files)


def _files(config: Json, facts: Facts, peers: Sequence[Peer]) -> list[File]:
    server, *_ = config[KEY]
    complete = {
        **config,
        KEY: [
            {
                **server,
                "private_key": facts.private_key,
                "address": f"{facts.address}/{facts.prefix_length}",
                "peers": [
                    *server.get("peers", []),
                    *({"public_key": p.public_key, "allowed_ips": p.network} for p in peers),
                ],
            }
        ],
    }
    return rendering.files(rendering.Wireguard, complete, facts.variables)


def shared_vni(config: Json) -> int | None:
    """Return the VXLAN network identifier common to all clients, or None."""
    tunnels = config.get("vxlan") or [{}]
    return tunnels[0].get("vni") or None


def _vxlan_peers(config: Json, peers: Sequence[Peer]) -> list[dict[str, Any]]:
    interface = (config.get("vxlan") or [{}])[0].get("name")
    shared = shared_vni(config)
    return [
        {"vni": shared or peer.vni, "remote": peer.address}
        | ({"interface": interface} if interface else {})
        for peer in peers
    ]
