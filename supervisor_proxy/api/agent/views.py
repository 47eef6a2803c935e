"""``/api/v1/ws/home``: WebSocket of add-ons that relay supervisor calls.

Calls come from any process of the portal through Redis (see ``drivers.relay``). Messages
are passed on unchanged, from callers to the device's socket and back.
"""

import asyncio
import json
from typing import Any
from uuid import uuid4

from channels.db import database_sync_to_async
from redis.exceptions import RedisError

from controller.base.errors import NotAuthenticated, Refused
from controller.base.redis import async_waiting_client
from controller.dialects.consumers import (
    BAD_MESSAGE,
    NOT_PERMITTED,
    NOT_SIGNED_IN,
    Consumer,
)
from supervisor_proxy.drivers import relay
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules import addon_agents

KINDS = {"answer", "more", "end"}


class AgentConsumer(Consumer):
    """WebSocket of one device's add-on, authenticated by the device's key."""

    passing: "asyncio.Task[None] | None" = None

    async def sign_in(self) -> None:
        if self.watching is not None:
            self.watching.cancel()
        self.key = self.credentials.get("token", "")
        try:
            row: Supervisor = await database_sync_to_async(addon_agents.enter)(self.key)
        except Refused as refusal:
            code = NOT_SIGNED_IN if isinstance(refusal, NotAuthenticated) else NOT_PERMITTED
            await self.refuse(code, str(refusal))
            return
        self.agent, self.number, self.instance = str(row.pk), row.pk, uuid4().hex
        # Flow control: remaining window of each open call.
        self.room: dict[str, int] = {}
        self.redis = async_waiting_client()
        self.is_open = True
        await self.be_present()
        self.watching = asyncio.create_task(self.watch())
        self.passing = asyncio.create_task(self.pass_calls())

    async def be_present(self) -> None:
        name = relay.presence(self.agent)
        await self.redis.set(name, self.instance, ex=relay.PRESENT_SECONDS)

    async def check(self) -> bool:
        present = await self.redis.get(relay.presence(self.agent))
        if present not in {None, self.instance.encode()}:
            # The add-on has reconnected; the newer socket is the live one.
            await self.close()
            return False
        # First, so that it stays present while the database is busy.
        await self.be_present()
        stays = database_sync_to_async(addon_agents.may_stay)
        if not await stays(self.key, self.number):
            await self.refuse(NOT_SIGNED_IN, "The device may no longer be here.")
            return False
        return True

    # --- to the device

    async def pass_calls(self) -> None:
        inbox = relay.inbox(self.agent, self.instance)
        try:
            while True:
                found: Any = await self.redis.blpop([inbox])
                message: bytes = found[1]
                if relay.is_text(message):
                    self.note(json.loads(message))
                    await self.send(text_data=message.decode())
                else:
                    await self.send(bytes_data=message)
        except (RedisError, OSError):
            await self.close()

    def note(self, told: dict[str, Any]) -> None:
        call = told["id"]
        if told["type"] == "call":
            self.room[call] = told["window"]
        elif told["type"] == "more" and call in self.room:
            self.room[call] += 1
        elif told["type"] == "stop":
            self.room.pop(call, None)

    # --- from the device

    async def on_message(self, message: dict[str, Any]) -> None:
        kind, call = message.get("type"), message.get("id")
        if kind not in KINDS or not isinstance(call, str):
            await self.refuse(BAD_MESSAGE, "answer, more or end is expected.")
            return
        if call not in self.room:
            return
        if kind == "answer" and not is_answer(message):
            message = {"type": "end", "id": call, "error": "broken"}
        if message["type"] == "end":
            self.room.pop(call)
        await self.give(call, json.dumps(message).encode())

    async def on_bytes(self, data: bytes) -> None:
        call = data[: relay.ID].hex()
        left = self.room.get(call)
        if left is None:
            return
        if left <= 0:
            await self.refuse(BAD_MESSAGE, "More was sent than there is room for.")
            return
        self.room[call] = left - 1
        await self.give(call, data)

    async def give(self, call: str, message: bytes) -> None:
        name = relay.outbox(self.agent, call)
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.rpush(name, message)
            pipe.expire(name, relay.KEPT_SECONDS)
            await pipe.execute()

    async def on_close(self) -> None:
        if self.passing is not None:
            self.passing.cancel()
        try:
            name = relay.presence(self.agent)
            if await self.redis.get(name) == self.instance.encode():
                await self.redis.delete(name)
            for call in list(self.room):
                await self.give(call, relay.text("end", call, error="broken"))
        except (RedisError, OSError):
            """Nobody can be told; whoever waits stops by time."""
        await self.redis.aclose()


def is_answer(message: dict[str, Any]) -> bool:
    status, headers = message.get("status"), message.get("headers")
    return (
        isinstance(status, int)
        and isinstance(headers, dict)
        and all(isinstance(one, str) for one in headers.values())
    )
