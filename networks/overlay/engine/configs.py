"""Render plans for `wg`, hosts files, NetJSON, phones and the join client."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from networks.overlay.engine import subnets, zones
from networks.overlay.engine.topology import Direct, Name, Peer, Plan, RelayLink

INTERFACE, DIRECT_INTERFACE = "muster0", "muster1"
FOLDER = "etc/muster/overlay"
SCRIPT = "usr/lib/muster/overlay"
HOOK = "etc/muster/reload.d/50-overlay"
AGENT_HOOK = "etc/openwisp/post-reload-hook"
# Variable that stands for a private key stored in the portal.
KEY_VARIABLE = "overlay_private_key"
# Variable that stands for the token with which the device reports to the portal.
TOKEN_VARIABLE = "overlay_token"  # noqa: S105 - its name
LOWEST_MTU, USUAL_MTU = 1280, 1420

Json = dict[str, Any]


def wg_config(plan: Plan, *, private_key: str = "", is_relay: bool = False) -> str:
    """Return the configuration for `wg syncconf`: of a member, with its first relay.

    Without a key, the device inserts its own.
    """
    lines = ["[Interface]"]
    if private_key:
        lines.append(f"PrivateKey = {private_key}")
    lines.append(f"ListenPort = {plan.port}")
    for peer in plan.peers if is_relay else plan.peers[:1]:
        lines += _peer(peer)
    return "\n".join(lines) + "\n"


def observer_config(plan: Plan) -> str:
    """Return the configuration of a relay's observing interface.

    Its peers may not send anything: a handshake shows where a member's interface for direct
    ways is seen.
    """
    assert plan.direct is not None  # noqa: S101 - relays have one
    lines = ["[Interface]", f"ListenPort = {plan.direct.port}"]
    for peer in plan.peers:
        lines += ["", "[Peer]", f"PublicKey = {peer.public_key}"]
    return "\n".join(lines) + "\n"


def direct_lines(direct: Direct) -> str:
    """Return the join client's lines about the interface for direct paths."""
    lines = [f"port {direct.port}", f"link {direct.link}"]
    lines += [f"observer {key} {endpoint}" for key, endpoint in direct.observers]
    return "\n".join(lines) + "\n"


def relay_lines(relays: Iterable[RelayLink]) -> str:
    """Return the relays of a member that has several, each with an interface of its own."""
    return "".join(
        f"{number} {one.public_key} {one.endpoint} {one.address} {one.port}\n"
        for number, one in enumerate(relays)
    )


def _peer(peer: Peer) -> list[str]:
    lines = ["", "[Peer]", f"PublicKey = {peer.public_key}"]
    if peer.allowed_ips:
        lines.append(f"AllowedIPs = {', '.join(peer.allowed_ips)}")
    if peer.endpoint:
        lines.append(f"Endpoint = {peer.endpoint}")
    if peer.keepalive:
        lines.append(f"PersistentKeepalive = {peer.keepalive}")
    return lines


def phone_config(plan: Plan, *, private_key: str, is_linux: bool = False) -> str:
    """Return a static WireGuard configuration with the relay as only peer.

    Apps would ask the overlay's resolver for all names; wg-quick on Linux can leave it the zones.
    """
    (relay,) = plan.peers[:1]
    names = zones.wg_quick_lines(plan.resolver) if is_linux and plan.resolver else ()
    lines = [
        "[Interface]",
        f"PrivateKey = {private_key}" if private_key else "# PrivateKey stays as it is",
        f"Address = {', '.join(_own_addresses(plan))}",
        f"MTU = {LOWEST_MTU}",
        *names,
        *_peer(relay),
    ]
    return "\n".join(lines) + "\n"


def _own_addresses(plan: Plan) -> Iterator[str]:
    yield f"{plan.address}/128"
    yield from (f"{one.address}/32" for one in plan.ranges if one.address)


def range_lines(plan: Plan) -> str:
    """Return the IPv4 ranges, each with the device's own address or a dash."""
    return "".join(f"{one.prefix} {one.address or '-'}\n" for one in plan.ranges)


def hosts(plan: Plan) -> str:
    """Return the lines of a hosts file.

    The first line that contains a name takes precedence.
    """
    return "".join(f"{line.address} {' '.join(line.names)}\n" for line in lines_of(plan))


def lines_of(plan: Plan) -> Iterable[Name]:
    return (line for block in plan.hosts for line in block)


def parts(plan: Plan, *, firewall: str = "", is_relay: bool = False) -> dict[str, str]:
    """Return the files that the join client applies, by name; empty without a network."""
    if not plan.address:
        return {}
    found = {
        "address": f"{plan.address}\n",
        "prefix": f"{plan.prefix}\n",
        "wg.conf": wg_config(plan, is_relay=is_relay),
        "hosts": hosts(plan),
    }
    if plan.hostname:
        found["hostname"] = f"{plan.hostname}\n"
    if firewall:
        found["firewall"] = firewall
    if is_relay:
        found |= {"relay": "yes\n", "observer.conf": observer_config(plan)}
    return found | _more_parts(plan, is_relay=is_relay)


def _more_parts(plan: Plan, *, is_relay: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    if plan.direct is not None:
        found["direct"] = direct_lines(plan.direct)
    if plan.relays:
        found["relays"] = relay_lines(plan.relays)
    if plan.routes:
        found["routes"] = subnets.route_lines(plan.routes)
    if plan.subnets:
        found["subnets"] = subnets.own_lines(plan.subnets)
    if plan.resolver is not None and not is_relay:
        found["resolver"] = zones.client_lines(plan.resolver)
    if plan.resolvers:
        found["resolvers"] = zones.relay_lines(plan.resolvers, plan.zone_names)
    if plan.ranges:
        found["ranges"] = range_lines(plan)
    return found


def document(found: Mapping[str, str], revision: int) -> str:
    """Join the revision and all parts into one text that the shell client can split."""
    sections = "".join(f"== {name}\n{text}" for name, text in found.items())
    return f"revision {revision}\n{sections}"


def netjson_files(found: Mapping[str, str], *, script: str, holds_key: bool) -> Json:
    """Return the parts, the script and its hook as files of a NetJSON configuration."""
    files = [_file(f"{FOLDER}/{name}", text, "0600") for name, text in found.items()]
    if holds_key:
        files.append(_file(f"{FOLDER}/private", f"{{{{ {KEY_VARIABLE} }}}}\n", "0600"))
    run = f'#!/bin/sh\nexec "${{MUSTER_ROOT%/}}/{SCRIPT}" apply\n'
    files += [_file(SCRIPT, script, "0755"), _file(HOOK, run, "0755")]
    return {"files": files}


def agent_hook() -> Json:
    """Return a post-reload hook for OpenWrt's agent: netifd may have skipped peers."""
    run = f"#!/bin/sh\nexec /{SCRIPT} apply\n"
    return _file(AGENT_HOOK, run, "0755")


def _file(path: str, contents: str, mode: str) -> Json:
    return {"path": path, "mode": mode, "contents": contents}


def netjson(plan: Plan) -> Json:
    """Return the interface as NetJSON, so that netifd restores it after a reboot."""
    if not plan.address:
        return {}
    return {
        "interfaces": [
            {
                "name": INTERFACE,
                "type": "wireguard",
                "private_key": f"{{{{ {KEY_VARIABLE} }}}}",
                "port": plan.port,
                "mtu": USUAL_MTU,
                "addresses": [_netjson_address(one) for one in _own_addresses(plan)],
            }
        ],
        "wireguard_peers": [_netjson_peer(peer) for peer in plan.peers[:1]],
    }


def _netjson_address(text: str) -> Json:
    address, _, mask = text.partition("/")
    family = "ipv6" if ":" in address else "ipv4"
    return {"proto": "static", "family": family, "address": address, "mask": int(mask)}


def _netjson_peer(peer: Peer) -> Json:
    found: Json = {
        "interface": INTERFACE,
        "public_key": peer.public_key,
        "allowed_ips": list(peer.allowed_ips),
        "route_allowed_ips": True,
    }
    if peer.endpoint:
        host, _, port = peer.endpoint.rpartition(":")
        found |= {"endpoint_host": host.strip("[]"), "endpoint_port": int(port)}
    if peer.keepalive:
        found["persistent_keepalive"] = peer.keepalive
    return found
