"""Rooms of threads for requests that wait for another machine.

A request that waits for a device, a gateway or another service runs in a room of its own, so
that it never takes a thread from requests that only need the database. A room is bounded, and
so is the share of one caller and of one target. A request that finds no place is refused at
once, or stands in line for a moment where pages ask for many things at a time; in line it holds
no thread.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from controller.base.database import release_connections

UUID = r"[0-9a-fA-F-]{32,36}"
# How long a request stands in line for a place.
LINE_SECONDS = 5.0


class WaitingThreads(ThreadPoolExecutor):
    """Threads that keep no database connection between two requests."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        def run() -> Any:
            try:
                return fn(*args, **kwargs)
            finally:
                release_connections()

        return super().submit(run)


@dataclass
class InLine:
    """A request that stands in line; its place is taken for it when one is free."""

    caller: str
    target: str
    called: asyncio.Future[None]


@dataclass
class WaitingRoom:
    """Threads for one kind of target. A pattern may name the target in a group ``target``.

    ``patience`` is how many seconds a request without a place stands in line, and ``longest``
    how many of one caller do.
    """

    name: str
    requests: Sequence[re.Pattern[str]]
    threads: int
    per_caller: int
    per_target: int
    patience: float = 0.0
    longest: int = 0
    inside: int = 0
    callers: Counter[str] = field(default_factory=Counter)
    targets: Counter[str] = field(default_factory=Counter)
    line: list[InLine] = field(default_factory=list)

    @cached_property
    def pool(self) -> WaitingThreads:
        return WaitingThreads(self.threads, thread_name_prefix=f"wait-{self.name}")

    def target_of(self, request: str) -> str | None:
        """Return the target of ``METHOD /path``, "" if it names none; None if it fits no pattern."""
        for pattern in self.requests:
            if (fit := pattern.match(request)) is not None:
                return fit.groupdict().get("target") or ""
        return None

    def has_place(self, caller: str, target: str) -> bool:
        return (
            self.inside < self.threads
            and self.callers[caller] < self.per_caller
            and (not target or self.targets[target] < self.per_target)
        )

    @asynccontextmanager
    async def place(self, caller: str, target: str) -> AsyncIterator[bool]:
        """Hold a place while the block runs. Yields False if there is none."""
        if not await self._is_let_in(caller, target):
            yield False
            return
        try:
            yield True
        finally:
            self._leave(caller, target)

    async def _is_let_in(self, caller: str, target: str) -> bool:
        if self.has_place(caller, target):
            self._enter(caller, target)
            return True
        if sum(one.caller == caller for one in self.line) >= self.longest:
            return False
        mine = InLine(caller, target, asyncio.get_running_loop().create_future())
        self.line.append(mine)
        try:
            await asyncio.wait([mine.called], timeout=self.patience)
        except asyncio.CancelledError:
            if mine.called.done():
                self._leave(caller, target)
            raise
        finally:
            if mine in self.line:
                self.line.remove(mine)
        return mine.called.done()

    def _enter(self, caller: str, target: str) -> None:
        self.inside += 1
        self.callers[caller] += 1
        self.targets[target] += 1

    def _leave(self, caller: str, target: str) -> None:
        self.inside -= 1
        for counts, key in ((self.callers, caller), (self.targets, target)):
            counts[key] -= 1
            if not counts[key]:
                del counts[key]
        for one in list(self.line):
            if self.has_place(one.caller, one.target):
                self._enter(one.caller, one.target)
                self.line.remove(one)
                one.called.set_result(None)


WRITES = "(?:POST|PUT|PATCH|DELETE)"
GATEWAY_PAGE = rf"/admin/networks/gateway/{UUID}"
CHANGE_PAGE = rf"/admin/networks/(?:change|changeset)/{UUID}"
HASSIO = f"/api/v1/controller/device/(?P<target>{UUID})/hassio"


def build_rooms(threads: int) -> Sequence[WaitingRoom]:
    """Return the rooms of a web process, each with ``threads`` threads; streams get twice that.

    The first room with a pattern that fits ``METHOD /path`` takes the request.
    """

    def room(
        name: str, *requests: str, size: int = threads, per_target: int = 2, **how: Any
    ) -> WaitingRoom:
        patterns = [re.compile(request) for request in requests]
        return WaitingRoom(name, patterns, size, max(2, size // 4), per_target, **how)

    share = max(2, threads // 4)
    return (
        room(
            "streams",
            rf"[A-Z]+ {HASSIO}/(?:.*logs/.*follow|.*/download|.*/upload|ingress/)",
            r"GET /admin/.*/(?:on/\d+/logs/|on/\d+/backup/)",
            size=threads * 2,
            per_target=max(2, threads // 2),
        ),
        room(
            "supervisors",
            rf"[A-Z]+ {HASSIO}/",
            r"POST /supervisor/",
            r"POST /(?:device|application)/\d+/restart",
            # A device whose version nobody knows is asked for it.
            r"GET /v[5-7]/device\(",
            r"[A-Z]+ /admin/supervisor_proxy/.*/(?:look|call|icon|logs|send)/",
            r"POST /admin/supervisor_proxy/",
            per_target=share,
        ),
        room(
            "gateways",
            rf"[A-Z]+ /api/v1/gateways/(?P<target>{UUID})/(?:live|check|status/|ping|traceroute)",
            rf"GET /api/v1/gateway-vpn/changes/{UUID}/(?:diff|dry-run)",
            rf"GET /api/v1/(?:firewall/gateways|hypervisor/controllers)/(?P<target>{UUID})/.",
            rf"GET /api/v1/gateway-[a-z0-9-]+/(?P<target>{UUID})/(?!(?:sites/[^/]+/)?changes)",
            rf"GET {GATEWAY_PAGE}/(?:drawer|stage|live/.+)/",
            rf"GET {CHANGE_PAGE}/(?:change|amend|dry-run|progress)/",
            # A page of FreeSDN's web client reads a dozen things of one gateway at a time.
            patience=LINE_SECONDS,
            longest=threads * 2,
        ),
        room(
            "gateway-changes",
            rf"{WRITES} /api/v1/(?:gateway-[a-z0-9-]+/.*changes|gateways/?|change-sets)",
            rf"{WRITES} /admin/networks/(?:gateway|change|changeset)/",
            per_target=share,
        ),
        # A long list of addresses is read while somebody waits for the answer.
        room("lists", r"POST /api/v1/ipam/import-subnet", size=share),
        room(
            "services",
            r"POST /api/v1/discovery/(?:fingerprint|test-credentials|adopt)",
            r"[A-Z]+ /api/v1/controller/location/geocode",
            r"[A-Z]+ /api/v1/auth/oidc/",
            rf"{WRITES} /api/v1/controller/(?:vpn|location)/",
            rf"{WRITES} /api/v1/networks/\d+/members",
            rf"{WRITES} /api/v1/notifications/webhook",
            rf"{WRITES} /admin/(?:vpn/vpn|networks/network|notifications/webhook)/",
            rf"{WRITES} /admin/(?:discovery/scan|geo/location)/",
            r"POST /admin/devices/device/add/(?:ssh|uci)/",
            per_target=share,
        ),
    )
