"""Measurements that the portal fetches over SSH: one command and one answer for each device."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.base.errors import Refused
from controller.connections.drivers.contract import Address, HostKey, Login
from controller.connections.drivers.ssh import handshake_limit, open_shell

SCRIPT = Path(__file__).with_name("measure.sh").read_bytes()
DEADLINE_SECONDS = 30.0
COMMAND_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Target:
    """A device to be asked; the id comes back with what it said."""

    id: str
    address: Address
    login: Login
    host_key: HostKey | None


@dataclass(frozen=True, slots=True)
class Measured:
    """What a device said, or why it said nothing."""

    id: str
    output: str = ""
    reason: str = ""
    host_key: HostKey | None = None


async def measure_many(targets: Sequence[Target]) -> list[Measured]:
    """Ask all of these devices side by side; none holds up another."""
    gate = handshake_limit()
    return list(await asyncio.gather(*(_measure(one, gate) for one in targets)))


@dataclass(frozen=True, slots=True)
class Asked:
    """A command for one device, and after how many seconds it is given up."""

    target: Target
    command: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command printed and how it ended, or why it did not run."""

    id: str
    status: int = 0
    output: str = ""
    reason: str = ""


async def run_on_many(asked: Sequence[Asked]) -> list[Answered]:
    """Run a command on each of these devices, side by side."""
    gate = handshake_limit()
    return list(await asyncio.gather(*(_answer(one, gate) for one in asked)))


async def _answer(asked: Asked, gate: asyncio.Semaphore) -> Answered:
    target = asked.target
    try:
        async with (
            asyncio.timeout(asked.seconds + DEADLINE_SECONDS),
            open_shell(target.address, target.login, target.host_key, gate=gate) as shell,
        ):
            found = await shell.run(asked.command, timeout=asked.seconds)
            return Answered(target.id, found.exit_status, found.stdout)
    except TimeoutError:
        return Answered(target.id, reason="It took too long.")
    except Refused as error:
        return Answered(target.id, reason=str(error))


async def _measure(target: Target, gate: asyncio.Semaphore) -> Measured:
    try:
        async with (
            asyncio.timeout(DEADLINE_SECONDS),
            open_shell(target.address, target.login, target.host_key, gate=gate) as shell,
        ):
            found = await shell.run("sh -s", stdin=SCRIPT, timeout=COMMAND_SECONDS)
            return Measured(target.id, found.stdout, host_key=shell.host_key)
    except TimeoutError:
        return Measured(target.id, reason="It took too long to say what it measures.")
    except Refused as error:
        return Measured(target.id, reason=str(error))
