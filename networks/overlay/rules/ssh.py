"""SSH to managed devices: read a device's public key and the relay's status."""

import asyncio
from collections.abc import Iterable

from django.conf import settings
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Refused, Unreachable
from controller.base.outbound.transactions import blocking
from controller.connections.drivers.commands import CommandRequest, CommandResult, run
from controller.connections.drivers.contract import SshTarget
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.models import DeviceConnection
from controller.connections.rules import record_attempts, usable_connections
from controller.connections.rules.ssh_access import ssh_target
from controller.devices.models import Device
from networks.overlay.engine.keys import checked_public, wireguard_pair
from networks.overlay.models import Node
from networks.overlay.rules.plans import new_node, script

CONNECT = "connect"
NOT_MADE = (
    "The device could not make a WireGuard key: it needs the package wireguard-tools. It said: "
)


def enrolled(device: Device, *, owner: User, name: str) -> Node:
    """Return an unsaved node for the device.

    The device generates its key itself if it is reachable over SSH; for devices that an
    agent configures, the key is generated here and stored encrypted.
    """
    connection = usable_connections([device.pk]).get(device.pk)
    by_agent = DeviceConnection.Strategy.OPENWRT_AGENT
    if connection is None or connection.update_strategy == by_agent:
        private, public = wireguard_pair()
        mode = Node.KeyMode.PORTAL
        return new_node(
            public, device=device, owner=owner, name=name, private_key=private, key_mode=mode
        )
    said = ask(connection, "key")
    try:
        public = checked_public(said.splitlines()[-1] if said else "")
    except ValueError as error:
        raise Refused(NOT_MADE + (said[-200:] or "nothing")) from error
    return new_node(public, device=device, owner=owner, name=name)


def answers(node: Node) -> bool:
    """Return whether the device answers over SSH; always True for agent devices."""
    if node.device is None:
        return False
    connection = usable_connections([node.device.pk]).get(node.device.pk)
    if connection is None:
        return node.key_mode == Node.KeyMode.PORTAL
    try:
        ask(connection, "key")
    except Unreachable:
        return False
    return True


def ask(
    connection: DeviceConnection, *words: str, seconds: float = 0, partly: bool = False
) -> str:
    """Run the join client with these arguments and return its output.

    Raises Unreachable. With ``partly``, output received before the timeout is accepted.
    """
    said = bytearray()
    try:
        target = ssh_target(connection)
    except Refused as refusal:
        raise Unreachable(str(refusal), code=CONNECT) from refusal
    ending = blocking(_run)(target, words, seconds, said)
    if ending.host_key is not None:
        record_attempts({connection.pk: ("", ending.host_key.line)})
    if ending.exit_status is None and not (partly and said):
        raise Unreachable(ending.reason or gettext("The device does not answer."), code=CONNECT)
    return said.decode(errors="replace")


async def _run(
    target: SshTarget, words: Iterable[str], seconds: float, said: bytearray
) -> CommandResult:
    budget = seconds or settings.MUSTER_CONTACT_SECONDS
    order = CommandRequest(
        address=target.address,
        login=target.login,
        host_key=target.host_key,
        line=f"sh -s -- {' '.join(words)}",
        stdin=script(),
        seconds=budget,
    )
    try:
        async with asyncio.timeout(budget):
            return await run(order, gate=handshake_limit(), on_output=said.extend)
    except TimeoutError:
        return CommandResult("unknown", "The device does not answer in time.")
