"""HTTP to a device: literal address, no redirects, bounded size and time."""

import asyncio
from collections.abc import Mapping
from typing import Any

from controller.base.errors import OutcomeUnknown, Unreachable
from controller.base.outbound import Kind, check_address, http
from controller.base.outbound.addresses import parsed
from controller.base.outbound.resolve import is_own
from supervisor_proxy.drivers.contract import BadAnswer, Order, Target
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
    url = http.URL(
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
        **({"Range": order.byte_range} if order.byte_range else {}),
    }
    body: dict[str, Any] = {"content": order.content} if order.content else {"json": order.data}
    if order.content:
        sent["Content-Type"] = "application/octet-stream"
    timeout = http.Timeout(order.seconds, connect=min(CONNECT_SECONDS, order.seconds))
    client = http.async_client(
        Kind.SUPERVISOR, timeout=timeout, seconds=order.seconds, largest=None
    )
    try:
        async with (
            asyncio.timeout(order.seconds),
            client,
            client.stream(order.method, url, headers=sent, **body) as answer,
        ):
            return await _whole(answer, order)
    except (http.ConnectError, http.ConnectTimeout) as error:
        why = "refused the connection" if "refused" in str(error).lower() else "is not there"
        raise Unreachable(
            f"The device {why} at its supervisor's address, so nothing was done there.",
            code="offline",
        ) from None
    except http.RemoteProtocolError as error:
        if "disconnected" in str(error):
            raise OutcomeUnknown(
                "The device closed the connection without an answer.", code="no_answer"
            ) from None
        raise BadAnswer("The device did not answer with HTTP.", code="bad_answer") from None
    except http.TooLarge:
        raise BadAnswer("The device packed its answer unasked.", code="bad_answer") from None
    except (TimeoutError, http.TimeoutException):
        raise OutcomeUnknown(
            f"The device did not answer within {order.seconds:g} seconds.", code="timeout"
        ) from None
    # httpx errors contain URLs with keys, so they are neither shown nor chained.
    except (http.HTTPError, http.InvalidURL):
        raise OutcomeUnknown("The connection to the device broke.", code="no_answer") from None


async def _whole(answer: http.Response, order: Order) -> Reply:
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
    address = parsed(target.host)
    if address is None:
        raise Unreachable("The device has no address to reach it at.", code="no_address")
    check_address(Kind.SUPERVISOR, address)
    if is_own(str(address)):
        raise Unreachable(
            "The address of the device is one of the portal's own.", code="no_address"
        )
    return str(address)
