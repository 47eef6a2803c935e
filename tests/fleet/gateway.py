"""What the stand-ins of vendors' gateways have in common: they fail at the worst moment."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.fleet.http import JSON, Answer, Appliance, Request

KEY, SECRET = "key-of-the-portal", "secret-of-the-portal"
Told = tuple[Any, int]


class StandIn(Appliance):
    """Subclasses keep what they hold, and call ``commit`` for whatever changes it.

    ``fault`` in the sense of this class is a word: how the next change goes wrong.
    """

    key, secret = KEY, SECRET

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.trouble = ""
        self.writes: list[str] = []
        # Whether the next change locks everybody out, and whether one has.
        self.locks_out = self.is_locked = False
        self.active: list[str] = []
        self.booted = 1
        self.clock = 0.0
        # Whoever answers late waits for this.
        self.released = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}{self.base}"

    base = ""

    def tell(self, request: Request) -> Told:
        """The answer of the gateway, which does what is asked."""
        raise NotImplementedError

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def sample(self, feature: Any) -> str:
        """The id of one that is there from the beginning; empty if there is but one."""
        return ""

    def pass_time(self, seconds: float) -> None:
        self.clock += seconds
        self.is_locked = False

    def refusal(self) -> Told:
        return {"message": "no"}, 400

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        """What it holds of a feature, told without the driver."""
        raise NotImplementedError

    def answer(self, request: Request) -> Answer:
        body, status = self.tell(request)
        return status, "" if status == 204 else JSON, "" if status == 204 else json.dumps(body)

    async def respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if self.is_locked:
            return
        trouble = self.trouble if self.is_write(request) else ""
        if trouble == "refuses":
            body, status = self.refusal()
            await self._send(writer, status, JSON, json.dumps(body))
            return
        if trouble == "error":
            await self._send(writer, 500, JSON, "{}")
            return
        if trouble == "late before":
            await self.released.wait()
            return
        answer = self.answer(request)
        if trouble == "late after":
            await self.released.wait()
        if trouble in {"late after", "dropped after"}:
            return
        await self._send(writer, *answer)
