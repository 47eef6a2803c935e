"""A router that answers discovery: SSH greeting, web page, mDNS, SSDP and SNMP.

``python -m tests.fleet.http_answers 10.0.0.10`` runs until it is stopped.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rrset

PAGE = (
    b"HTTP/1.1 200 OK\r\nServer: uhttpd\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
    b"<html><head><title>\nOpenWrt - LuCI </title></head></html>"
)
SSDP = (
    b"HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nUSN: uuid:1::upnp:rootdevice\r\n"
    b"SERVER: OpenWrt UPnP/1.1 MiniUPnPd/2.3\r\nLOCATION: http://10.0.0.10:5000/root.xml\r\n\r\n"
)
DESCRIPTION = b"Linux roof 6.6.86 OpenWrt"
SYS_DESCR = bytes.fromhex("06082b06010201010100")
SYS_NAME = bytes.fromhex("06082b06010201010500")


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"SSH-2.0-dropbear\r\n")
    await reader.read()
    writer.close()


async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if await reader.read(1000):
        writer.write(PAGE)
        await writer.drain()
    writer.close()


def mdns(asked: bytes) -> bytes:
    query = dns.message.from_wire(asked)
    answer = dns.message.make_response(query)
    answer.flags |= dns.flags.AA
    name = query.question[0].name
    told = "roof.local." if "in-addr" in str(name) else "_ssh._tcp.local."
    answer.answer.append(dns.rrset.from_text(name, 10, "IN", "PTR", told))
    wire: bytes = answer.to_wire()
    return wire


def snmp(asked: bytes) -> bytes:
    if b"secret" not in asked:
        return b""
    values = [(SYS_DESCR, DESCRIPTION), (SYS_NAME, b"roof")]
    content = b"".join(oid + bytes([0x04, len(value)]) + value for oid, value in values)
    # Clients ignore the lengths of the outer parts; those of the values must be right.
    return asked[: asked.find(SYS_DESCR)] + content


class Answers(asyncio.DatagramProtocol):
    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self.answer = answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if told := self.answer(data):
            self.transport.sendto(told, addr)  # type: ignore[attr-defined]


async def main(host: str) -> None:
    await asyncio.start_server(greet, host, 22)
    await asyncio.start_server(page, host, 80)
    loop = asyncio.get_running_loop()
    for port, answer in ((5353, mdns), (1900, lambda _: SSDP), (161, snmp)):
        await loop.create_datagram_endpoint(
            lambda answer=answer: Answers(answer), local_addr=(host, port)
        )
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
