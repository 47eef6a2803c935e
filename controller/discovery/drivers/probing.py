"""Asks hosts by TCP, HTTP, mDNS, SSDP and SNMP, many at a time, and none longer than agreed."""

import asyncio
import re
from collections.abc import Awaitable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import dns.exception
import dns.flags
import dns.message
import httpx

from controller.discovery.drivers.contract import Question, Sighting

WEB = {80: "http", 8080: "http", 443: "https", 8443: "https", 8006: "https", 8123: "http"}
MOST_BYTES, LONGEST = 65_536, 200
SSDP, MDNS, SNMP = 1900, 5353, 161
SEARCH = (
    "M-SEARCH * HTTP/1.1\r\nHOST: {host}:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
    "ST: ssdp:all\r\n\r\n"
)  # fmt: skip
SERVICES = "_services._dns-sd._udp.local."
# sysDescr.0, by SNMP 2c.
SYS_DESCR = bytes.fromhex("06082b06010201010100")


class Probing:
    """A scan under way; ``results`` runs it for a while and returns who was done meanwhile."""

    def __init__(self, hosts: Iterator[str], question: Question, *, at_once: int) -> None:
        self.hosts, self.question, self.at_once = hosts, question, at_once
        self.runner = asyncio.Runner()
        self.tasks: dict[asyncio.Task[Sighting | None], str] = {}
        self.is_done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Whoever is asked is asked no longer."""
        self.runner.close()

    def results(self, seconds: float) -> list[tuple[str, Sighting | None]]:
        return self.runner.run(self._go_on(seconds))

    async def _go_on(self, seconds: float) -> list[tuple[str, Sighting | None]]:
        deadline = asyncio.get_running_loop().time() + seconds
        done: list[tuple[str, Sighting | None]] = []
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            self._fill()
            if not self.tasks:
                self.is_done = True
                break
            finished, _ = await asyncio.wait(
                self.tasks, timeout=left, return_when=asyncio.FIRST_COMPLETED
            )
            done += [(self.tasks.pop(task), task.result()) for task in finished]
        return done

    def _fill(self) -> None:
        while len(self.tasks) < self.at_once and (host := next(self.hosts, None)):
            self.tasks[asyncio.ensure_future(probe(host, self.question))] = host


async def probe(host: str, question: Question) -> Sighting | None:
    """One host, by every method at the same time; None where nothing answered."""
    ways: dict[str, Awaitable[dict[str, Any]]] = {}
    if "tcp_connect" in question.methods:
        ways |= {f"tcp:{port}": _port(host, port, question.seconds) for port in question.ports}
    if "mdns" in question.methods:
        ways["mdns"] = _mdns(host, question.seconds)
    if "ssdp" in question.methods:
        ways["ssdp"] = _ssdp(host, question.seconds)
    if "snmp" in question.methods:
        ways["snmp"] = _snmp(host, question)
    answers = await asyncio.gather(
        *(_or_nothing(way, question.seconds) for way in ways.values())
    )
    heard = {way: said for way, said in zip(ways, answers, strict=True) if said is not None}
    if not heard:
        return None
    return Sighting(
        address=host,
        ports=tuple(int(way[4:]) for way in heard if way.startswith("tcp:")),
        mac_address=_neighbour(host),
        ways=tuple(sorted({"tcp_connect" if way.startswith("tcp") else way for way in heard})),
        said={name: value for said in heard.values() for name, value in said.items()},
    )


async def _or_nothing(way: Awaitable[dict[str, Any]], seconds: float) -> dict[str, Any] | None:
    try:
        # Twice: to be let in, and to be told something.
        return await asyncio.wait_for(way, 2 * seconds)
    except (OSError, TimeoutError, httpx.HTTPError, dns.exception.DNSException, ValueError):
        return None


async def _port(host: str, port: int, seconds: float) -> dict[str, Any]:
    connecting = asyncio.open_connection(host, port, limit=MOST_BYTES)
    reader, writer = await asyncio.wait_for(connecting, seconds)
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
    """The title and the server of a page; an open port that speaks no HTTP says nothing."""
    body = b""
    try:
        async with (
            httpx.AsyncClient(verify=False, timeout=seconds, trust_env=False) as client,  # noqa: S501 - nothing is entrusted to it
            client.stream("GET", url) as answer,
        ):
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    break
    except httpx.HTTPError:
        return {}
    title = re.search(rb"<title[^>]*>(.*?)</title>", body, re.DOTALL | re.IGNORECASE)
    said = {
        "server": answer.headers.get("server", "").encode(),
        "title": title[1] if title else b"",
    }
    return {f"http:{port}:{name}": clean(value) for name, value in said.items() if value}


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


async def _mdns(host: str, seconds: float) -> dict[str, Any]:
    query = dns.message.make_query(SERVICES, "PTR", flags=0, id=0)
    answer = dns.message.from_wire(
        await _ask(host, MDNS, query.to_wire(), seconds), ignore_trailing=True
    )
    if not answer.flags & dns.flags.QR:
        raise ValueError("This is no answer.")
    names = sorted({str(row)[:LONGEST] for rows in answer.answer for row in rows})
    return {"mdns": names[:32]}


async def _ssdp(host: str, seconds: float) -> dict[str, Any]:
    data = await _ask(host, SSDP, SEARCH.format(host=_in_url(host)).encode(), seconds)
    if not data.startswith(b"HTTP/1.1 200"):
        raise ValueError("This is no answer.")
    found = re.findall(rb"(?mi)^(server|st|usn|location):[ \t]*(.*?)\r?$", data)
    return {"ssdp": {name.decode().lower(): clean(value) for name, value in found}}


async def _snmp(host: str, question: Question) -> dict[str, Any]:
    data = await _ask(host, SNMP, _get(question.community), question.seconds)
    at = data.find(SYS_DESCR)
    text = data[at + len(SYS_DESCR) :]
    if at < 0 or text[:1] != b"\x04":
        raise ValueError("This is no answer.")
    # A length of one byte, or a byte that says how many bytes the length has.
    start = 2 + (text[1] & 0x7F if text[1] & 0x80 else 0)
    return {"snmp": clean(text[start:])}


def _get(community: str) -> bytes:
    """A request for sysDescr.0, in BER; a community is at most 64 bytes long."""
    binding = _tagged(0x30, SYS_DESCR + b"\x05\x00")
    pdu = _tagged(0xA0, b"\x02\x01\x01\x02\x01\x00\x02\x01\x00" + _tagged(0x30, binding))
    return _tagged(0x30, b"\x02\x01\x01" + _tagged(0x04, community.encode()[:64]) + pdu)


def _tagged(tag: int, content: bytes) -> bytes:
    return bytes([tag, len(content)]) + content


class _Answer(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self.first.done():
            self.first.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.first.done():
            self.first.set_exception(exc)


async def _ask(host: str, port: int, message: bytes, seconds: float) -> bytes:
    loop = asyncio.get_running_loop()
    transport, answer = await loop.create_datagram_endpoint(_Answer, remote_addr=(host, port))
    try:
        transport.sendto(message)
        return await asyncio.wait_for(answer.first, seconds)
    finally:
        transport.close()


def clean(data: bytes) -> str:
    """Text of a stranger: one line of it, printable, and not much."""
    text = data[: 4 * LONGEST].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:LONGEST]


def _neighbour(host: str) -> str:
    """The MAC address, if the host is in a network that this machine is in."""
    try:
        lines = Path("/proc/net/arp").read_text().splitlines()[1:]
    except OSError:
        return ""
    found = next((line.split() for line in lines if line.startswith(f"{host} ")), None)
    return found[3] if found and found[3] != "00:00:00:00:00:00" else ""
