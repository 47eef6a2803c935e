"""Run commands on many devices concurrently and stream their output."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

from controller.base.errors import OutcomeUnknown, Refused
from controller.connections.drivers.contract import Address, HostKey, Login
from controller.connections.drivers.ssh import open_shell

log = logging.getLogger(__name__)

State = Literal["success", "failed", "cancelled", "unknown"]


@dataclass(frozen=True, slots=True)
class CommandRequest:
    address: Address
    login: Login
    host_key: HostKey | None
    line: str = field(repr=False)
    stdin: str = field(repr=False)
    seconds: float
    """How long it may run."""
    ends_connection: bool = False


@dataclass(frozen=True, slots=True)
class CommandResult:
    state: State
    reason: str = ""
    exit_status: int | None = None
    host_key: HostKey | None = None
    """The key the device showed; None if it was not reached."""


async def run(
    order: CommandRequest,
    *,
    gate: asyncio.Semaphore,
    on_output: Callable[[bytes], None],
    before_send: Callable[[], Awaitable[None]] | None = None,
) -> CommandResult:
    """Run one command and return its result; raises only when cancelled.

    ``before_send`` is called once the device is reached. It raises Refused if nothing must be
    sent.
    """
    seen: HostKey | None = None
    try:
        async with open_shell(order.address, order.login, order.host_key, gate=gate) as shell:
            seen = shell.host_key
            if before_send is not None:
                await before_send()
            result = await shell.run(
                order.line,
                stdin=order.stdin.encode(),
                timeout=order.seconds,
                on_output=on_output,
            )
    except OutcomeUnknown as refusal:
        if order.ends_connection:
            return CommandResult(
                "success", "The connection ended, as was to be expected.", None, seen
            )
        return CommandResult("unknown", str(refusal), None, seen)
    except Refused as refusal:
        return CommandResult("failed", str(refusal), None, seen)
    except OSError as error:
        log.warning("A command broke: %s", error)
        return CommandResult(
            "unknown", f"The portal failed in the midst of it: {error}.", None, seen
        )
    if result.exit_status == 0:
        return CommandResult("success", "", 0, seen)
    reason = f"It ended with exit status {result.exit_status}."
    return CommandResult("failed", reason, result.exit_status, seen)
