"""Driver for Home Assistant supervisors behind a connected add-on."""

import asyncio
import json
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import Any, cast

from redis.exceptions import RedisError

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.base.redis import async_waiting_client, quick_client, waiting_client
from supervisor_proxy.drivers import relay
from supervisor_proxy.drivers.contract import BadAnswer, Download, Order, Target
from supervisor_proxy.drivers.hassio import form
from supervisor_proxy.engine.answers import LARGEST_ANSWER, Reply

# Followed logs may be silent for long; the reader gets control this often.
TICK_SECONDS = 1
PATIENCE_SECONDS = 120.0
FOLLOWING_SECONDS = 300.0
AWAY = "The add-on of the device is not connected, so nothing was done."
LOST = "The connection to the device broke."
NOT_TAKEN = "The add-on of the device did not take the call, so nothing was done."


def connected(agent: str) -> str:
    """Return the socket instance of the agent.

    Raises Unreachable if it is not connected.
    """
    try:
        found = cast(str | None, quick_client().get(relay.presence(agent)))
    except (RedisError, OSError):
        found = None
    if not found:
        raise Unreachable(AWAY, code="offline")
    return found


def opening(call: str, order: Order, **values: Any) -> bytes:
    headers = {"Accept": order.accept, "Range": order.byte_range}
    return relay.text(
        "call", call, method=order.method, path=order.path, query=dict(order.query),
        headers={name: value for name, value in headers.items() if value} | values.pop("headers", {}),
        seconds=order.seconds, window=relay.WINDOW, **values,
    )  # fmt: skip


def refusal(message: dict[str, Any]) -> Refused | None:
    """Return the error reported by the agent, or None."""
    match message.get("error"):
        case None:
            return None
        case "away":
            return Unreachable("The supervisor of the device is not there.", code="offline")
        case "refused":
            return BadAnswer(
                "The add-on on the device allows no such call.", code="agent_refused"
            )
    return OutcomeUnknown(LOST, code="no_answer")


class Agent:
    async def call(self, target: Target, order: Order) -> Reply:
        agent, call = target.agent, relay.new_call()
        instance = await asyncio.to_thread(connected, agent)
        body, kind = order.content, "application/octet-stream"
        if not body and order.data is not None:
            body, kind = json.dumps(order.data).encode(), "application/json"
        has_body = order.method != "GET"
        headers = {"Content-Type": kind, "Content-Length": str(len(body))} if has_body else {}
        first = opening(call, order, body=has_body, headers=headers)
        to = relay.inbox(agent, instance)
        messages = [first]
        if has_body:
            parts = range(0, len(body), relay.PART)
            messages += [relay.part(call, body[at : at + relay.PART]) for at in parts]
            messages.append(relay.text("end", call))
        try:
            async with async_waiting_client() as redis:
                await redis.rpush(to, *messages)
                await redis.expire(to, relay.KEPT_SECONDS)
                reply = await self._reply(redis, to, agent, call, order)
                if reply is not None:
                    return reply
                if await redis.lrem(to, 1, cast(str, first)):
                    raise Unreachable(NOT_TAKEN, code="offline")
                await redis.rpush(to, relay.text("stop", call))
        except (RedisError, OSError):
            raise OutcomeUnknown(LOST, code="no_answer") from None
        raise OutcomeUnknown(
            f"The device did not answer within {order.seconds:g} seconds.", code="timeout"
        )

    async def _reply(
        self, redis: Any, to: str, agent: str, call: str, order: Order
    ) -> Reply | None:
        """Collect the complete answer. Returns None on timeout."""
        end, body = time.monotonic() + order.seconds, bytearray()
        status, kind = 0, ""
        while (left := end - time.monotonic()) > 0:
            # A timeout of 0 would block forever.
            found = await redis.blpop([relay.outbox(agent, call)], timeout=max(left, 0.05))
            if found is None:
                break
            message = found[1]
            if not relay.is_text(message):
                body += message[relay.ID :]
                if len(body) > order.largest:
                    await redis.rpush(to, relay.text("stop", call))
                    raise BadAnswer("The answer is too large.", code="too_large")
                await redis.rpush(to, relay.text("more", call))
                continue
            told = json.loads(message)
            if (refused := refusal(told)) is not None:
                raise refused
            if told["type"] == "answer":
                status, kind = told["status"], told["headers"].get("content-type", "")
            elif told["type"] == "end":
                return Reply(status, kind, bytes(body))
        return None

    @contextmanager
    def download(self, target: Target, order: Order) -> Iterator[Download]:
        with Exchange(target, order) as exchange:
            exchange.send(opening(exchange.call, order, body=False, follows=order.follows))
            told = exchange.until("answer")
            yield Download(told["status"], told["headers"], exchange.parts())

    def upload(
        self, target: Target, order: Order, parts: Iterable[bytes], *, size: int | None
    ) -> Reply:
        before, after, headers = form(size, as_form=order.as_form)
        with Exchange(target, order) as exchange:
            exchange.send(opening(exchange.call, order, body=True, headers=headers))
            for one in chain([before], parts, [after]):
                exchange.send_body(one)
            exchange.send(relay.text("end", exchange.call))
            told = exchange.until("answer")
            body = b""
            for part in exchange.parts():
                body += part
                if len(body) > LARGEST_ANSWER:
                    raise BadAnswer("The answer of the device is too large.", code="too_large")
        return Reply(told["status"], told["headers"].get("content-type", ""), body)


class Exchange:
    """One streaming call, blocking the thread that waits for it."""

    def __init__(self, target: Target, order: Order) -> None:
        self.agent, self.call = target.agent, relay.new_call()
        self.patience = FOLLOWING_SECONDS if order.follows else PATIENCE_SECONDS
        self.to = relay.inbox(self.agent, connected(self.agent))
        self.redis = waiting_client()
        self.room = relay.WINDOW
        self.is_over = False

    def __enter__(self) -> "Exchange":
        return self

    def __exit__(self, *_: object) -> None:
        if not self.is_over:
            self.send(relay.text("stop", self.call))
        self.redis.delete(relay.outbox(self.agent, self.call))
        self.redis.close()

    def send(self, message: bytes) -> None:
        self.redis.rpush(self.to, message)
        self.redis.expire(self.to, relay.KEPT_SECONDS)

    def send_body(self, data: bytes) -> None:
        """Send data in parts, as fast as the device's window allows."""
        for at in range(0, len(data), relay.PART):
            while self.room <= 0:
                self.until("more")
            self.room -= 1
            self.send(relay.part(self.call, data[at : at + relay.PART]))

    def next(self) -> bytes:
        """Return the next message. Raises OutcomeUnknown after a long silence."""
        return next(filter(None, self.messages()))

    def messages(self) -> Iterator[bytes]:
        """Yield messages as they arrive, and an empty one per second of silence."""
        silent_since = time.monotonic()
        while time.monotonic() - silent_since < self.patience:
            found = cast(
                tuple[bytes, bytes] | None,
                self.redis.blpop([relay.outbox(self.agent, self.call)], timeout=TICK_SECONDS),
            )
            if found is not None:
                silent_since = time.monotonic()
            yield found[1] if found else b""
        raise OutcomeUnknown(LOST, code="no_answer")

    def until(self, kind: str) -> dict[str, Any]:
        """Wait for a message of this kind, counting window updates on the way."""
        while True:
            message = self.next()
            if not relay.is_text(message):
                raise BadAnswer("The add-on answered out of turn.", code="bad_answer")
            told: dict[str, Any] = json.loads(message)
            if (refused := refusal(told)) is not None:
                self.is_over = True
                raise refused
            if told["type"] == "more":
                self.room += 1
            if told["type"] == kind:
                return told
            if told["type"] in {"answer", "end"}:
                raise BadAnswer("The device answered before it had all.", code="bad_answer")

    def parts(self) -> Iterator[bytes]:
        for message in self.messages():
            if not message:
                yield b""
                continue
            if not relay.is_text(message):
                self.send(relay.text("more", self.call))
                yield message[relay.ID :]
                continue
            told = json.loads(message)
            if told["type"] == "more":
                continue
            self.is_over = True
            if (refused := refusal(told)) is not None:
                raise refused
            return
