"""Streams to a device over SSH: whole, with bounded memory."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

from controller.connections.drivers.contract import Address, Login
from controller.connections.drivers.ssh import open_shell
from tests.fleet.ssh import SshDevice

PART = 256 * 1024
PARTS = 64
# What the windows of SSH and the buffers of sockets hold.
MOST_AHEAD = 8 * 1024 * 1024


def test_a_stream_waits_for_the_device_and_arrives_whole(tmp_path: Path) -> None:
    sent: list[int] = []
    digest = hashlib.sha256()

    async def parts() -> AsyncIterator[bytes]:
        for number in range(PARTS):
            part = number.to_bytes(4, "big") * (PART // 4)
            digest.update(part)
            sent.append(len(part))
            yield part

    async def stands_still() -> int:
        """Return what was sent, once nothing follows."""
        before = -1
        while before != sum(sent) or not sent:
            before = sum(sent)
            await asyncio.sleep(0.5)
        return before

    async def scene(device: SshDevice) -> None:
        address = Address(device.host, device.port)
        login = Login(device.username, private_key=device.private_key)
        gate = tmp_path / "gate"
        command = f"while [ ! -e {gate} ]; do sleep 0.05; done; sha256sum"
        async with open_shell(address, login) as shell:
            running = asyncio.create_task(shell.run(command, feed=parts(), timeout=60))
            assert await stands_still() < MOST_AHEAD
            gate.touch()
            result = await running
        assert sum(sent) == PARTS * PART
        assert result.stdout.split()[0] == digest.hexdigest()

    with SshDevice(tmp_path / "device") as device:
        asyncio.run(scene(device))
