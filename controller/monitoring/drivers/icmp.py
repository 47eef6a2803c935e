"""Pings of many hosts at once: one socket for each family, and one loop for all.

A datagram socket is tried first, which Linux lets everybody open whose group is in
``net.ipv4.ping_group_range``, then a raw one, which takes CAP_NET_RAW.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

from controller.base.outbound import Kind, policy_of

# Echo request and reply, by family.
TYPES = {socket.AF_INET: (8, 0), socket.AF_INET6: (128, 129)}
PROTOCOLS = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
HEAD = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
BODY = struct.Struct("!8sIHH")  # nonce, place of the host, round, padding
SIZE = HEAD.size + BODY.size
WORDS = struct.Struct(f"!{SIZE // 2}H")
# When the kernel received a packet: Python itself may look much later.
SO_TIMESTAMPNS = 35
STAMP = struct.Struct("qq")
RECEIVE_BUFFER = 4 * 1024 * 1024
ROUNDS = 5
BETWEEN_ROUNDS_SECONDS = 0.2
PATIENCE_SECONDS = 2.0
# At most so many packets, then a pause: 2,000 a second.
BURST, PAUSE_SECONDS = 20, 0.01
NANO = 1_000_000_000


class NoSocket(Exception):
    """The system lets this process send no pings."""


@dataclass(slots=True)
class Pinged:
    """What came back of the pings to one host; times are in milliseconds."""

    sent: int = 0
    times: list[float] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """The percentage of pings without an answer."""
        return 100 * (1 - len(self.times) / self.sent) if self.sent else 100.0


async def ping_many(
    hosts: Sequence[str], *, rounds: int = ROUNDS, patience: float = PATIENCE_SECONDS
) -> list[Pinged]:
    """Ping these addresses and return what came back of each.

    None is sent to an address that MUSTER_DEVICE_NETWORKS does not permit.

    Raises :class:`NoSocket` where the system permits no pings at all.
    """
    found = [Pinged() for _ in hosts]
    policy = policy_of(Kind.DEVICE)
    families: dict[socket.AddressFamily, list[tuple[int, str]]] = {}
    for at, host in enumerate(hosts):
        address = ip_address(host)
        if policy.refusal(address):
            continue
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
        families.setdefault(family, []).append((at, host))
    await asyncio.gather(
        *(
            _Pinger(family, some, found, patience).run(rounds)
            for family, some in families.items()
        )
    )
    return found


def way() -> str:
    """Return how this process would ping: datagram, raw, or none."""
    for kind, name in ((socket.SOCK_DGRAM, "datagram"), (socket.SOCK_RAW, "raw")):
        try:
            socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP).close()
        except OSError:
            continue
        return name
    return "none"


def open_socket(family: socket.AddressFamily) -> socket.socket:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        try:
            made = socket.socket(family, kind, PROTOCOLS[family])
        except OSError:
            continue
        made.setblocking(False)  # noqa: FBT003 - its only argument
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        return made
    raise NoSocket(
        "Pings need a group in net.ipv4.ping_group_range, or the capability CAP_NET_RAW."
    )


class _Pinger:
    """Pings the hosts of one family."""

    def __init__(
        self,
        family: socket.AddressFamily,
        hosts: Sequence[tuple[int, str]],
        found: list[Pinged],
        patience: float,
    ) -> None:
        self.family, self.hosts, self.found = family, hosts, found
        self.patience = patience
        self.socket = open_socket(family)
        self.request, self.reply = TYPES[family]
        self.skips_header = family == socket.AF_INET and self.socket.type == socket.SOCK_RAW
        self.nonce = os.urandom(8)
        self.identifier = int.from_bytes(os.urandom(2), "big")
        self.sent: dict[tuple[int, int], int] = {}

    async def run(self, rounds: int) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self.socket.fileno(), self.receive)
        try:
            for number in range(rounds):
                started = loop.time()
                await self.send_round(number)
                rest = BETWEEN_ROUNDS_SECONDS - (loop.time() - started)
                if number + 1 < rounds and rest > 0:
                    await asyncio.sleep(rest)
            await self.wait(loop.time)
        finally:
            loop.remove_reader(self.socket.fileno())
            self.socket.close()

    async def send_round(self, number: int) -> None:
        for count, (at, host) in enumerate(self.hosts):
            if count % BURST == BURST - 1:
                await asyncio.sleep(PAUSE_SECONDS)
            self.found[at].sent += 1
            self.sent[at, number] = time.time_ns()
            try:
                self.socket.sendto(self.packet(at, number), (host, 0))
            except OSError:
                # No route, or the system is busy: as lost as if it had been lost on its way.
                del self.sent[at, number]

    async def wait(self, now: Callable[[], float]) -> None:
        """Wait until all have answered, or patience is over."""
        deadline = now() + self.patience
        while self.sent and now() < deadline:
            await asyncio.sleep(0.02)

    def packet(self, at: int, number: int) -> bytes:
        body = BODY.pack(self.nonce, at, number, 0)
        head = HEAD.pack(self.request, 0, 0, self.identifier, number)
        if self.family == socket.AF_INET6:
            return head + body  # the kernel adds the checksum
        total = sum(WORDS.unpack(head + body))
        total = (total >> 16) + (total & 0xFFFF)
        total += total >> 16
        checksum = ~total & 0xFFFF
        return HEAD.pack(self.request, 0, checksum, self.identifier, number) + body

    def receive(self) -> None:
        while True:
            try:
                data, extra, _, _ = self.socket.recvmsg(2048, 64)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                continue
            self.note(data, arrived(extra))

    def note(self, data: bytes, at: int) -> None:
        start = (data[0] & 15) * 4 if self.skips_header and data else 0
        if len(data) < start + SIZE or data[start] != self.reply:
            return
        nonce, host, number, _ = BODY.unpack_from(data, start + HEAD.size)
        if nonce == self.nonce and (began := self.sent.pop((host, number), None)) is not None:
            self.found[host].times.append(max(at - began, 0) / 1e6)


def arrived(extra: Iterable[tuple[int, int, bytes]]) -> int:
    """Return when the kernel received a packet, in nanoseconds since the epoch."""
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS) and len(data) >= STAMP.size:
            seconds, nanoseconds = STAMP.unpack_from(data)
            return int(seconds) * NANO + int(nanoseconds)
    return time.time_ns()
