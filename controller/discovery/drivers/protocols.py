"""Single queries to a host. Each returns the answer and raises if there is none."""

import asyncio
import re
from typing import Any

import dns.asyncresolver
import dns.flags
import dns.message
import dns.reversename

from controller.base.outbound import Kind, datagrams, http
from controller.base.outbound import tcp as sockets
from controller.discovery.drivers.neighbors import mac_address
from controller.discovery.engine import snmp as ber

WEB = {80: "http", 8080: "http", 443: "https", 8443: "https", 8006: "https", 8123: "http"}
MOST_BYTES, LONGEST = 65_536, 200
SSDP, MDNS, SNMP, DISCARD = 1900, 5353, 161, 9
SEARCH = (
    "M-SEARCH * HTTP/1.1\r\nHOST: {host}:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
    "ST: ssdp:all\r\n\r\n"
)  # fmt: skip
SERVICES = "_services._dns-sd._udp.local."
# Intervals between lookups in the neighbor table.
PAUSES = (0.1, 0.4, 1.0)


async def tcp(host: str, port: int, seconds: float) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        sock = await sockets.connect_async(Kind.DISCOVERY, host, port)
        reader, writer = await asyncio.open_connection(sock=sock, limit=MOST_BYTES)  # noqa: TID251
    try:
        if port in WEB:
            return await _web(f"{WEB[port]}://{_in_url(host)}:{port}/", port, seconds)
        return await _banner(reader, port, seconds / 2)
    finally:
        writer.close()


async def _banner(reader: asyncio.StreamReader, port: int, seconds: float) -> dict[str, Any]:
    try:
        data = await asyncio.wait_for(reader.read(LONGEST), seconds)
    except (TimeoutError, OSError):
        return {}
    return {f"banner:{port}": clean(data)} if data else {}


async def _web(url: str, port: int, seconds: float) -> dict[str, Any]:
    """Return title and server of a web page; empty if the port does not speak HTTP."""
    body = b""
    try:
        async with (
            http.async_client(
                Kind.DISCOVERY,
                timeout=seconds,
                seconds=2 * seconds,
                largest=None,
                tls=http.unchecked(),
            ) as client,
            client.stream("GET", url) as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    break
    except http.HTTPError:
        return {}
    title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.DOTALL | re.IGNORECASE)
    said = {
        "server": answer.headers.get("server", "").encode(),
        "title": title[1] if title else b"",
    }
    return {f"http:{port}:{name}": clean(value) for name, value in said.items() if value}


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def mdns(host: str, seconds: float) -> dict[str, Any]:
    """Return services and name by unicast mDNS queries to the host."""
    services, name = await asyncio.gather(
        _records(host, SERVICES, seconds),
        _records(host, dns.reversename.from_address(host).to_text(), seconds),
        return_exceptions=True,
    )
    if isinstance(services, BaseException) and isinstance(name, BaseException):
        raise services
    found: dict[str, Any] = {"mdns": services if isinstance(services, list) else []}
    return found | (
        {"mdns:name": name[0].rstrip(".")} if isinstance(name, list) and name else {}
    )


async def _records(host: str, name: str, seconds: float) -> list[str]:
    query = dns.message.make_query(name, "PTR", flags=0, id=0)
    data = await _datagram(host, MDNS, query.to_wire(), seconds)
    answer = dns.message.from_wire(data, ignore_trailing=True)
    if not answer.flags & dns.flags.QR:
        raise ValueError("This is no answer.")
    rows = [rows for rows in answer.answer if str(rows.name).lower() == name.lower()]
    return sorted({str(row)[:LONGEST] for one in rows for row in one})[:32]


async def ssdp(host: str, seconds: float) -> dict[str, Any]:
    data = await _datagram(host, SSDP, SEARCH.format(host=_in_url(host)).encode(), seconds)
    if not data.startswith(b"HTTP/1.1 200"):
        raise ValueError("This is no answer.")
    found = re.findall(rb"(?mi)^(server|st|usn|location):[ \t]*(.*?)\r?$", data)
    return {"ssdp": {name.decode().lower(): clean(value) for name, value in found}}


async def snmp(host: str, community: str, seconds: float) -> dict[str, Any]:
    found = ber.values(await _datagram(host, SNMP, ber.request(community), seconds))
    if not found:
        raise ValueError("This is no answer.")
    return {name: clean(value) for name, value in found.items()}


async def icmp(host: str, seconds: float) -> dict[str, Any]:
    """Send an ICMP echo, if the kernel permits it (net.ipv4.ping_group_range)."""
    await datagrams.ping(Kind.DISCOVERY, host, seconds=seconds)
    return {}


async def arp(host: str, seconds: float) -> dict[str, Any]:
    """Send an empty datagram, so that the kernel resolves the host's MAC address."""
    async with datagrams.channel(Kind.DISCOVERY, host, DISCARD) as channel:
        channel.send(b"")
        for pause in PAUSES:
            await asyncio.sleep(min(pause, seconds))
            if mac_address(host):
                return {}
    raise TimeoutError


async def reverse_name(host: str, seconds: float) -> str:
    """Return the name by a reverse lookup with this machine's resolver."""
    found = await dns.asyncresolver.resolve_address(host, lifetime=seconds)
    return str(next(iter(found))).rstrip(".")[:LONGEST]


async def _datagram(host: str, port: int, message: bytes, seconds: float) -> bytes:
    return await datagrams.ask(Kind.DISCOVERY, host, port, message, seconds=seconds)


def clean(data: bytes) -> str:
    """Return untrusted text as one short, printable line."""
    text = data[: 4 * LONGEST].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]
