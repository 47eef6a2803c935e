"""Registry of VPN backends and their engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from controller.vpn.engine import openvpn, wireguard, zerotier
from controller.vpn.engine.contract import Facts, Json, Peer, Rendered


@dataclass(frozen=True, slots=True)
class Engine:
    """Engine of a backend; `key` is the configuration's key of the server itself."""

    key: str
    schema: Callable[[], dict[str, Any]]
    check: Callable[[Json], None]
    render: Callable[[Json, Facts, Sequence[Peer]], Rendered]
    needs_ca: bool = False
    has_keys: bool = False
    is_vxlan: bool = False
    has_controller: bool = False

    @property
    def needs_subnet(self) -> bool:
        return not self.needs_ca


PREFIX = "openwisp_controller.vpn_backends"
ENGINES = {
    f"{PREFIX}.OpenVpn": Engine(
        openvpn.KEY, openvpn.schema, openvpn.check, openvpn.render, needs_ca=True
    ),
    f"{PREFIX}.Wireguard": Engine(
        wireguard.KEY, wireguard.schema, wireguard.check, wireguard.render, has_keys=True
    ),
    f"{PREFIX}.VxlanWireguard": Engine(
        wireguard.KEY, wireguard.vxlan_schema, wireguard.check_vxlan, wireguard.render_vxlan,
        has_keys=True, is_vxlan=True,
    ),
    f"{PREFIX}.ZeroTier": Engine(
        zerotier.KEY, zerotier.schema, zerotier.check, zerotier.render, has_controller=True
    ),
}  # fmt: skip
