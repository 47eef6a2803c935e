"""Checks of the portal itself: a page, a name, a port, an SSH server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dns.exception
import dns.message
import dns.rcode

from controller.base.errors import Refused
from controller.base.outbound import Kind as Outbound
from controller.base.outbound import datagrams, http
from controller.connections.drivers.contract import Address
from controller.connections.drivers.tcp import probe
from controller.monitoring.engine.active import Kind, Outcome

AT_ONCE = 100
SECONDS = 10.0
LARGEST = 1_000_000
FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Order:
    """A check of one device; the id comes back with its outcome."""

    id: int
    kind: Kind
    host: str
    parameters: Mapping[str, Any]


async def run_many(orders: Sequence[Order]) -> dict[int, Outcome]:
    """Make all of these checks side by side; none holds up another."""
    places = asyncio.Semaphore(AT_ONCE)
    found = await asyncio.gather(*(_run(one, places) for one in orders))
    return {order.id: outcome for order, outcome in zip(orders, found, strict=True)}


async def _run(order: Order, places: asyncio.Semaphore) -> Outcome:
    async with places:
        began = time.perf_counter()
        try:
            async with asyncio.timeout(SECONDS):
                reason = await WAYS[order.kind](order.host, order.parameters)
        except TimeoutError:
            reason = f"No answer within {SECONDS:g} s."
        except Refused as error:
            reason = str(error)
        except (http.HTTPError, OSError, dns.exception.DNSException, ValueError) as error:
            reason = f"It cannot be asked: {error or type(error).__name__}"[:255]
        took = 1000 * (time.perf_counter() - began)
    return Outcome(not reason, reason, None if reason else took)


async def _http(host: str, parameters: Mapping[str, Any]) -> str:
    """Ask for a page; return what is wrong with it."""
    scheme = "https" if parameters.get("tls") else "http"
    port = parameters.get("port", 443 if parameters.get("tls") else 80)
    named = f"[{host}]" if ":" in host else host
    url = f"{scheme}://{named}:{port}{parameters.get('path', '/')}"
    async with http.async_client(
        Outbound.DEVICE, timeout=SECONDS, seconds=SECONDS, largest=LARGEST, tls=http.unchecked()
    ) as client:
        answer = await client.get(url)
    wanted = parameters.get("status")
    if wanted is not None and answer.status_code != wanted:
        return f"It answers {answer.status_code} instead of {wanted}."
    if wanted is None and answer.status_code >= FIRST_ERROR:
        return f"It answers {answer.status_code}."
    if (text := parameters.get("text")) and text not in answer.text:
        return "Its answer does not contain the expected text."
    return ""


async def _dns(host: str, parameters: Mapping[str, Any]) -> str:
    """Ask the device, as a name server, for a name; return what is wrong with its answer."""
    query = dns.message.make_query(parameters["name"], parameters.get("record", "A"))
    data = await datagrams.ask(
        Outbound.DEVICE, host, parameters.get("port", 53), query.to_wire(), seconds=SECONDS
    )
    answer = dns.message.from_wire(data)
    if not query.is_response(answer):
        return "The answer does not fit the question."
    if answer.rcode() != dns.rcode.NOERROR:
        return f"It answers {dns.rcode.to_text(answer.rcode())}."
    found = [str(one) for rows in answer.answer for one in rows]
    if not found:
        return "It knows no such record."
    if (wanted := parameters.get("answer")) and wanted not in found:
        return f"It answers {', '.join(found)[:200]}."
    return ""


async def _tcp(host: str, parameters: Mapping[str, Any]) -> str:
    found = await probe(Address(host, parameters["port"]), banner=False, timeout=SECONDS)
    return "" if found.reachable else found.reason


async def _ssh(host: str, parameters: Mapping[str, Any]) -> str:
    found = await probe(Address(host, parameters.get("port", 22)), timeout=SECONDS)
    return "" if found.reachable else found.reason


WAYS: Mapping[Kind, Callable[[str, Mapping[str, Any]], Awaitable[str]]] = {
    Kind.HTTP: _http, Kind.DNS: _dns, Kind.TCP: _tcp, Kind.SSH: _ssh,
}  # fmt: skip
