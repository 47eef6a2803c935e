"""Driver for Home Assistant supervisors behind Core, with an admin's token.

JSON calls use Core's WebSocket (``supervisor/api``, since 2021); logs, images and backups
use HTTP under ``/api/hassio``, as far as Core allows.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from controller.base.errors import OutcomeUnknown, Unreachable
from controller.base.outbound import Kind
from controller.base.outbound.websocket import ClientConnection, WebSocketException, connect
from supervisor_proxy.drivers.contract import BadAnswer, Download, Order, Target
from supervisor_proxy.drivers.hassio import fetched, sent, url
from supervisor_proxy.drivers.http import CONNECT_SECONDS, dialled, exchange
from supervisor_proxy.engine.answers import JSON, Reply

PREFIX = "/api/hassio"
BROKE = "The connection to Home Assistant broke."


def bearer(target: Target) -> dict[str, str]:
    return {"Authorization": f"Bearer {target.key}"}


class Core:
    async def call(self, target: Target, order: Order) -> Reply:
        if order.kind != "json" or order.content:
            there = replace(order, path=f"{PREFIX}{order.path}")
            return await exchange(target, there, headers=bearer(target), query=order.query)
        host = dialled(target)
        try:
            async with asyncio.timeout(order.seconds):
                socket = await _connected(host, target.port, order)
                async with socket:
                    return await _asked(socket, target, order)
        except TimeoutError:
            raise OutcomeUnknown(
                f"The device did not answer within {order.seconds:g} seconds.", code="timeout"
            ) from None
        except (WebSocketException, OSError):
            raise OutcomeUnknown(BROKE, code="no_answer") from None
        except (ValueError, KeyError, AttributeError):
            raise BadAnswer(
                "The answer is not from Home Assistant.", code="bad_answer"
            ) from None

    @contextmanager
    def download(self, target: Target, order: Order) -> Iterator[Download]:
        with fetched(url(target, order, PREFIX), order, bearer(target)) as found:
            yield found

    def upload(
        self, target: Target, order: Order, parts: Iterable[bytes], *, size: int | None
    ) -> Reply:
        return sent(url(target, order, PREFIX), order, bearer(target), parts, size=size)


async def _connected(host: str, port: int, order: Order) -> ClientConnection:
    try:
        return await connect(
            Kind.SUPERVISOR, host, port, "/api/websocket", seconds=CONNECT_SECONDS,
            largest=order.largest,
        )  # fmt: skip
    except (OSError, TimeoutError, WebSocketException, Unreachable):
        raise Unreachable(
            "Home Assistant is not there, so nothing was done.", code="offline"
        ) from None


async def _asked(socket: ClientConnection, target: Target, order: Order) -> Reply:
    """Authenticate, make one call, and wrap the result in the supervisor's envelope."""
    first = json.loads(await socket.recv())
    if first["type"] == "auth_required":
        await socket.send(json.dumps({"type": "auth", "access_token": target.key}))
        if json.loads(await socket.recv())["type"] != "auth_ok":
            return Reply(401)
    message: dict[str, Any] = {
        "id": 1, "type": "supervisor/api", "endpoint": order.path,
        "method": order.method.lower(), "timeout": max(1, int(order.seconds)),
    }  # fmt: skip
    if order.data:
        message["data"] = dict(order.data)
    await socket.send(json.dumps(message))
    while (told := json.loads(await socket.recv())).get("id") != 1:
        """Something else that it tells."""
    if told["type"] != "result":
        raise ValueError(told["type"])
    if told["success"]:
        return _reply(200, {"result": "ok", "data": told.get("result") or {}})
    error = told["error"]
    if error["code"] == "unauthorized":
        return Reply(401)
    return _reply(
        400, {"result": "error", "message": str(error.get("message") or error["code"])}
    )


def _reply(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status, JSON, json.dumps(value).encode())
