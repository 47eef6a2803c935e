"""Base of stand-in vendor gateways, which fail at the worst moment."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from networks.gateways.engine.features.feature import inside
from networks.gateways.engine.features.versions import parsed
from tests.fleet import measurements
from tests.fleet.answers import answer_problems
from tests.fleet.contract import Call, Contract, contract_of
from tests.fleet.http import JSON, Answer, Appliance, Request, Supervisors

KEY, SECRET = "key-of-the-portal", "secret-of-the-portal"
Told = tuple[Any, int]
# Faults of the next changes. "on its way" is applied when ``deliver`` is called.
TROUBLES = (
    "refuses", "error", "late before", "late after", "dropped after", "on its way", "slow",
    "edited after",
)  # fmt: skip
BAD_REQUEST = 400
LOST = {"late after", "dropped after"}


class StandIn(Appliance):
    """Base class. Subclasses store state and append every modification to ``writes``."""

    key, secret = KEY, SECRET
    base = ""
    # Simulated version.
    vendor = version = ""
    loop: asyncio.AbstractEventLoop

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port)
        self.version = version or self.version
        # Requests outside of the vendor's published API.
        self.faults: list[str] = []
        # The call of the request that is being answered, where the contract has no fault with it.
        self.current: Call | None = None
        # Whether unknown fields are ignored, as by some vendors.
        self.is_lenient = False
        self.trouble = ""
        self.writes: list[str] = []
        # Changes received and changes applied, as requested.
        self.received: list[str] = []
        self.done: list[str] = []
        self.on_their_way: list[Callable[[], Any]] = []
        # Concurrent edit right after the next change.
        self.edit: Callable[[], Any] = lambda: None
        # Whether the next change locks everybody out, and whether one has.
        self.locks_out = self.is_locked = False
        # From when on it is locked, by the clock of ``time.monotonic``.
        self.locked_from = math.inf
        self.active: list[str] = []
        self.booted = 1
        self.clock = 0.0
        self.counters = measurements.Counters()
        # Late answers wait for this event.
        self.released = asyncio.Event()

    @property
    def url(self) -> str:
        scheme = "https" if self.tls else "http"
        return f"{scheme}://{self.host}:{self.port}{self.base}"

    @property
    def measured(self) -> dict[str, Any]:
        """What it measures, by the path of the call that tells it."""
        return measurements.answers(self.vendor, self.counters)

    @property
    def contract(self) -> Contract:
        return contract_of(self.vendor)

    def judged(
        self,
        method: str,
        path: str,
        body: Any,
        query: dict[str, str] | None = None,
        *,
        is_partial: bool = False,
    ) -> tuple[Call | None, list[str]]:
        """Return the request's call and what it does not accept. Problems are recorded."""
        call, problems = None, ["no such call"]
        # Some calls share a path and differ by their body.
        for one in self.contract.all(method, path, self.version):
            found = one.problems(body, self.version, query)
            if self.is_lenient:
                found = [each for each in found if not each.endswith(": unknown")]
            if is_partial:
                found = [each for each in found if not each.endswith(": missing")]
            if call is None or not found:
                call, problems = one, found
            if not found:
                break
        self.note_faults(f"{method} {path}", problems)
        self.current = call if not problems else None
        return call, problems

    def note_faults(self, what: str, problems: list[str]) -> None:
        self.faults += [f"{self.version}: {what}: {one}" for one in problems]

    def judge_answer(self, request: str, status: int, body: Any) -> None:
        """Record what of the answer to the current call the vendor would not give."""
        if self.current is not None and status < BAD_REQUEST:
            problems = answer_problems(self.current, status, body, self.version)
            self.note_faults(request, problems)
        self.current = None

    def told(self, feature: Any, row: dict[str, Any]) -> dict[str, str]:
        """Return a stored row with the portal's property names."""
        spelled = feature.at(parsed(self.version))
        found = {n: feature.text(inside(row, n)) for n in spelled.properties}
        return dict(feature.inward(found, parsed(self.version)))

    def tell(self, request: Request) -> Told:
        """Apply the request and return the gateway's answer."""
        raise NotImplementedError

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def wording(self, request: Request) -> str:
        """Return a text of the requested change."""
        return f"{request.method} {request.target} {request.body.decode()}"

    def sample(self, feature: Any) -> str:
        """Return the id of an initial object; empty for settings."""
        return ""

    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        self.is_locked, self.locked_from = False, math.inf

    def refusal(self) -> Told:
        return {"message": "no"}, 400

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        """Return the stored object, without using the driver."""
        raise NotImplementedError

    def overwrite(self, feature: Any, target: str, values: dict[str, Any]) -> None:
        """Change the object like an administrator on the device."""
        row = self.held(feature, target)
        assert row is not None
        outward = feature.outward(feature.values(values), parsed(self.version))
        row.update(feature.typed(outward))

    def answer(self, request: Request) -> Answer:
        body, status = self.tell(request)
        if isinstance(body, bytes):
            self.current = None
            return status, "application/octet-stream", body
        self.judge_answer(f"{request.method} {request.path}", status, body)
        return status, "" if status == 204 else JSON, "" if status == 204 else json.dumps(body)

    async def respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.is_locked or time.monotonic() >= self.locked_from:
            return
        if not self.is_write(request):
            await self._send(writer, *self.answer(request))
            return
        if self.trouble == "refuses":
            body, status = self.refusal()
            await self._send(writer, status, JSON, json.dumps(body))
            return
        if self.trouble == "error":
            await self._send(writer, 500, JSON, "{}")
            return
        answer = await self.hit(self.wording(request), lambda: self.answer(request))
        if answer is not None:
            await self._send(writer, *answer)

    async def hit(self, wording: str, work: Callable[[], Any]) -> Any:
        """Apply a change with the current fault. Returns None for no answer."""
        trouble = self.trouble
        self.received.append(wording)
        if trouble == "late before":
            await self.released.wait()
            return None
        if trouble == "on its way":
            self.on_their_way.append(lambda: self.carry_out(wording, work))
            return None
        if trouble == "slow":
            await asyncio.sleep(0.2)
        answer = self.carry_out(wording, work)
        if trouble == "edited after":
            self.edit()
        if trouble == "late after":
            await self.released.wait()
        return None if trouble in LOST else answer

    def carry_out(self, wording: str, work: Callable[[], Any]) -> Any:
        before = len(self.writes)
        answer = work()
        if len(self.writes) > before:
            self.done.append(wording)
        return answer

    def deliver(self) -> None:
        """Apply the delayed changes."""
        waiting, self.on_their_way = self.on_their_way, []
        for one in waiting:
            one()

    def release(self) -> None:
        """Send the late answers now."""
        self.loop.call_soon_threadsafe(self.released.set)


One = TypeVar("One", bound=StandIn)


@contextmanager
def serving(device: One) -> Iterator[One]:
    with Supervisors(device) as fleet:
        device.loop = fleet.loop
        try:
            yield device
        finally:
            device.release()
