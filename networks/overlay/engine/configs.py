"""Plans as text: for `wg`, for hosts files, for OpenWrt, for phones, and for our own agent."""

from collections.abc import Iterable, Mapping
from typing import Any

from networks.overlay.engine.topology import Name, Peer, Plan

INTERFACE = "muster0"
FOLDER = "etc/muster/overlay"
SCRIPT = "usr/lib/muster/overlay"
HOOK = "etc/muster/reload.d/50-overlay"
AGENT_HOOK = "etc/openwisp/post-reload-hook"
# What a configuration says in place of a key that the portal holds.
KEY_VARIABLE = "overlay_private_key"
LOWEST_MTU, USUAL_MTU = 1280, 1420

Json = dict[str, Any]


def wg_config(plan: Plan, *, private_key: str = "") -> str:
    """For `wg syncconf`; without a key, the device puts its own in place."""
    lines = ["[Interface]"]
    if private_key:
        lines.append(f"PrivateKey = {private_key}")
    lines.append(f"ListenPort = {plan.port}")
    for peer in plan.peers:
        lines += _peer(peer)
    return "\n".join(lines) + "\n"


def _peer(peer: Peer) -> list[str]:
    lines = ["", "[Peer]", f"PublicKey = {peer.public_key}"]
    if peer.allowed_ips:
        # Without any, a handshake is tried and nothing is sent yet.
        lines.append(f"AllowedIPs = {', '.join(peer.allowed_ips)}")
    if peer.endpoint:
        lines.append(f"Endpoint = {peer.endpoint}")
    if peer.keepalive:
        lines.append(f"PersistentKeepalive = {peer.keepalive}")
    return lines


def phone_config(plan: Plan, *, private_key: str) -> str:
    """For the WireGuard apps, which read it from a QR code: a member that never changes."""
    (relay,) = plan.peers[:1]
    lines = [
        "[Interface]",
        f"PrivateKey = {private_key}",
        f"Address = {plan.address}/128",
        f"MTU = {LOWEST_MTU}",
        *_peer(relay),
    ]
    return "\n".join(lines) + "\n"


def hosts(plan: Plan) -> str:
    """The lines of a hosts file; the first that names something is the one that counts."""
    return "".join(f"{line.address} {' '.join(line.names)}\n" for line in lines_of(plan))


def lines_of(plan: Plan) -> Iterable[Name]:
    return (line for block in plan.hosts for line in block)


def parts(plan: Plan, *, firewall: str = "", is_relay: bool = False) -> dict[str, str]:
    """What our script on a device applies, by file name; nothing where it is in no network."""
    if not plan.address:
        return {}
    found = {
        "address": f"{plan.address}\n",
        "prefix": f"{plan.prefix}\n",
        "wg.conf": wg_config(plan),
        "hosts": hosts(plan),
    }
    if plan.hostname:
        found["hostname"] = f"{plan.hostname}\n"
    if firewall:
        found["firewall"] = firewall
    if is_relay:
        found["relay"] = "yes\n"
    return found


def document(found: Mapping[str, str], revision: int) -> str:
    """All parts as one text, which a shell takes apart again."""
    sections = "".join(f"== {name}\n{text}" for name, text in found.items())
    return f"revision {revision}\n{sections}"


def netjson_files(found: Mapping[str, str], *, script: str, holds_key: bool) -> Json:
    """The parts as files of a device's configuration, with what applies them."""
    files = [_file(f"{FOLDER}/{name}", text, "0600") for name, text in found.items()]
    if holds_key:
        files.append(_file(f"{FOLDER}/private", f"{{{{ {KEY_VARIABLE} }}}}\n", "0600"))
    run = f'#!/bin/sh\nexec "${{MUSTER_ROOT%/}}/{SCRIPT}" apply\n'
    files += [_file(SCRIPT, script, "0755"), _file(HOOK, run, "0755")]
    return {"files": files}


def agent_hook() -> Json:
    """OpenWrt's agent runs it once netifd has read what is new, and may have ignored peers."""
    run = f"#!/bin/sh\nexec /{SCRIPT} apply\n"
    return _file(AGENT_HOOK, run, "0755")


def _file(path: str, contents: str, mode: str) -> Json:
    return {"path": path, "mode": mode, "contents": contents}


def netjson(plan: Plan) -> Json:
    """The interface in OpenWrt's own configuration, so that netifd has it after a restart."""
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
                "addresses": [
                    {"proto": "static", "family": "ipv6", "address": plan.address, "mask": 128}
                ],
            }
        ],
        "wireguard_peers": [_netjson_peer(peer) for peer in plan.peers],
    }


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
