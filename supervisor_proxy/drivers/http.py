"""HTTP to a device: literal address, no redirects, bounded size and time."""

import asyncio
import socket
from collections.abc import Mapping
from typing import Any

import httpx

from controller.base.errors import OutcomeUnknown, Unreachable
from supervisor_proxy.drivers.contract import BadAnswer, Order, Target
from supervisor_proxy.engine.addresses import plain
from supervisor_proxy.engine.answers import Reply

CONNECT_SECONDS = 5.0
AGENT = "Muster"


async def exchange(
    target: Target,
    order: Order,
    *,
    headers: Mapping[str, str],
    query: Mapping[str, str],
) -> Reply:
    """Send the request with exactly these headers and parameters.

    Raises like the contract.
    """
    url = httpx.URL(
        scheme="http", host=dialled(target), port=target.port, path=order.path,
        params=dict(query) or None,
    )  # fmt: skip
    sent = {
        "Accept": order.accept or "application/json, text/plain;q=0.9, */*;q=0.1",
        # Compressed answers are rejected, against decompression bombs.
        "Accept-Encoding": "identity",
        "User-Agent": AGENT,
        "Connection": "close",
        **headers,
        **({"X-Request-ID": order.request_id} if order.request_id else {}),
    }
    body: dict[str, Any] = {"content": order.content} if order.content else {"json": order.data}
    if order.content:
        sent["Content-Type"] = "application/octet-stream"
    timeout = httpx.Timeout(order.seconds, connect=min(CONNECT_SECONDS, order.seconds))
    client = httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=timeout)
    try:
        async with (
            asyncio.timeout(order.seconds),
            client,
            client.stream(order.method, url, headers=sent, **body) as answer,
        ):
            return await _whole(answer, order)
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        why = "refused the connection" if "refused" in str(error).lower() else "is not there"
        raise Unreachable(
            f"The device {why} at its supervisor's address, so nothing was done there.",
            code="offline",
        ) from None
    except httpx.RemoteProtocolError as error:
        if "disconnected" in str(error):
            raise OutcomeUnknown(
                "The device closed the connection without an answer.", code="no_answer"
            ) from None
        raise BadAnswer("What the device sent is no HTTP.", code="bad_answer") from None
    except (TimeoutError, httpx.TimeoutException):
        raise OutcomeUnknown(
            f"The device did not answer within {order.seconds:g} seconds.", code="timeout"
        ) from None
    # httpx errors contain URLs with keys, so they are neither shown nor chained.
    except (httpx.HTTPError, httpx.InvalidURL):
        raise OutcomeUnknown("The connection to the device broke.", code="no_answer") from None


async def _whole(answer: httpx.Response, order: Order) -> Reply:
    if answer.headers.get("content-encoding", "identity") != "identity":
        raise BadAnswer("The device packed its answer unasked.", code="bad_answer")
    body = bytearray()
    async for part in answer.aiter_raw():
        body += part
        if len(body) > order.largest:
            raise BadAnswer(
                f"The answer of the device is larger than {order.largest} bytes.",
                code="too_large",
            )
    return Reply(answer.status_code, answer.headers.get("content-type", ""), bytes(body))


def dialled(target: Target) -> str:
    """Return the literal address. Rejects host names and the portal's own addresses."""
    address = plain(target.host)
    if address is None:
        raise Unreachable("The device has no address to reach it at.", code="no_address")
    text = str(address)
    # If the kernel's source address equals the target, the address is our own.
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET  # noqa: PLR2004
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((text, target.port))
            ours = probe.getsockname()[0] == text
        except OSError:
            ours = False
    # Loopback is only allowed if listed in the settings.
    if ours and not address.is_loopback:
        raise Unreachable(
            "The address of the device is one of the portal's own.", code="no_address"
        )
    return text
