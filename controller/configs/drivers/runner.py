"""Run hundreds of pushes concurrently in one event loop, isolated from each other."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from controller.base.errors import Unreachable
from controller.configs.drivers import STRATEGIES
from controller.configs.drivers.contract import Archive, Outcome, Strategy
from controller.connections.drivers.contract import Address, HostKey, Login, Shell
from controller.connections.drivers.ssh import (
    DEFAULT_TIMEOUTS,
    Timeouts,
    handshake_limit,
    open_shell,
)

logger = logging.getLogger(__name__)

DEVICES_AT_ONCE = 500
DEADLINE_SECONDS = 240.0
WINDOW_SECONDS = 20.0
TAKEN_OVER = "The lease of this push ran out, so nothing was sent."


@dataclass(frozen=True, slots=True)
class PushOrder:
    """Push to one device."""

    id: str
    """The caller's own; it comes back with the result."""
    strategy: str
    address: Address
    login: Login
    archive: Archive
    host_key: HostKey | None = None
    window: float = WINDOW_SECONDS


@dataclass(frozen=True, slots=True)
class PushResult:
    id: str
    outcome: Outcome
    host_key: HostKey | None
    """The key the device showed, to be pinned; None if it never came to that."""
    seconds: float


OnDone = Callable[[PushResult], Awaitable[None]]
OnSend = Callable[[str], Awaitable[bool]]


class Connector:
    """Opens shells to one device; pins the first host key it sees."""

    def __init__(
        self,
        address: Address,
        login: Login,
        host_key: HostKey | None,
        *,
        gate: asyncio.Semaphore | None = None,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        may_send: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.address = address
        self._may_send = may_send
        self.host_key = host_key
        self._login = login
        self._gate = gate
        self._timeouts = timeouts

    def __call__(self) -> AbstractAsyncContextManager[Shell]:
        return self._open()

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Shell]:
        async with open_shell(
            self.address, self._login, self.host_key, gate=self._gate, timeouts=self._timeouts
        ) as shell:
            self.host_key = shell.host_key
            # Used once: confirming opens further connections.
            may_send, self._may_send = self._may_send, None
            if may_send is not None and not await may_send():
                raise Unreachable(TAKEN_OVER)
            yield shell


async def push_many(
    orders: Iterable[PushOrder],
    *,
    on_done: OnDone,
    on_send: OnSend | None = None,
    gate: asyncio.Semaphore | None = None,
    deadline: float = DEADLINE_SECONDS,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> None:
    """Push all orders; await ``on_done`` with each result, one at a time.

    Each device has ``deadline`` seconds from its start. Batches in one event loop share a
    ``gate``
    from ``handshake_limit()``. Never raises because of a device or ``on_done``.
    """
    await _each(
        orders, _push, on_done=on_done, on_send=on_send, gate=gate, deadline=deadline,
        timeouts=timeouts,
    )  # fmt: skip


async def verify_many(
    orders: Iterable[PushOrder],
    *,
    on_done: OnDone,
    gate: asyncio.Semaphore | None = None,
    deadline: float = DEADLINE_SECONDS,
    timeouts: Timeouts = DEFAULT_TIMEOUTS,
) -> None:
    """Verify each order on its device; otherwise like ``push_many``."""
    await _each(
        orders, _verify, on_done=on_done, gate=gate, deadline=deadline, timeouts=timeouts
    )


Act = Callable[[Strategy, PushOrder, Connector], Awaitable[Outcome]]


async def _push(strategy: Strategy, order: PushOrder, connect: Connector) -> Outcome:
    return await strategy.push(order.archive, window=order.window, connect=connect)


async def _verify(strategy: Strategy, order: PushOrder, connect: Connector) -> Outcome:
    return await strategy.verify(order.archive, connect=connect)


async def _each(
    orders: Iterable[PushOrder],
    act: Act,
    *,
    on_done: OnDone,
    on_send: OnSend | None = None,
    gate: asyncio.Semaphore | None,
    deadline: float,
    timeouts: Timeouts,
) -> None:
    gate = gate or handshake_limit()
    places, handing_over = asyncio.Semaphore(DEVICES_AT_ONCE), asyncio.Lock()

    async def one(order: PushOrder) -> None:
        async with places:
            connect = Connector(
                order.address, order.login, order.host_key, gate=gate, timeouts=timeouts,
                may_send=partial(on_send, order.id) if on_send else None,
            )  # fmt: skip
            began = time.monotonic()
            outcome = await _guarded(act, order, connect, deadline)
            result = PushResult(order.id, outcome, connect.host_key, time.monotonic() - began)
        async with handing_over:
            try:
                await on_done(result)
            except Exception:
                logger.exception("The result of the push to %s was not taken", order.id)

    await asyncio.gather(*(one(order) for order in orders))


async def _guarded(act: Act, order: PushOrder, connect: Connector, deadline: float) -> Outcome:
    strategy = STRATEGIES.get(order.strategy)
    if strategy is None:
        known = ", ".join(STRATEGIES)
        return Outcome("failed", f"There is no way to push named {order.strategy!r}: {known}.")
    try:
        async with asyncio.timeout(deadline):
            return await act(strategy, order, connect)
    except TimeoutError:
        return Outcome(
            "unknown", f"Given up after {deadline:g} s; verify what the device holds."
        )
    except Exception as error:
        logger.exception("The push to %s broke", order.id)
        return Outcome("unknown", f"The portal failed in the midst of it: {error!r}.")
