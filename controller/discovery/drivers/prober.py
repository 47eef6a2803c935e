"""Probe many hosts concurrently, each by all methods with a timeout."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import Any, Self

import dns.exception

from controller.base.errors import Refused
from controller.base.outbound.http import HTTPError
from controller.discovery.drivers import protocols
from controller.discovery.drivers.contract import HostReport, Question
from controller.discovery.drivers.neighbors import mac_address

NO_ANSWER = (
    OSError, TimeoutError, HTTPError, Refused, dns.exception.DNSException, ValueError, IndexError,
)  # fmt: skip


class Probing:
    """Scan in progress; ``results`` runs it for a while and returns the hosts done."""

    def __init__(self, hosts: Iterator[str], question: Question, *, at_once: int) -> None:
        self.hosts, self.question, self.at_once = hosts, question, at_once
        self.runner = asyncio.Runner()
        self.tasks: dict[asyncio.Task[HostReport | None], str] = {}
        self.is_done = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        """Cancel outstanding probes."""
        self.runner.close()

    def results(self, seconds: float) -> list[tuple[str, HostReport | None]]:
        return self.runner.run(self._go_on(seconds))

    async def _go_on(self, seconds: float) -> list[tuple[str, HostReport | None]]:
        deadline = asyncio.get_running_loop().time() + seconds
        done: list[tuple[str, HostReport | None]] = []
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


async def probe(host: str, question: Question) -> HostReport | None:
    """Probe one host by all methods concurrently; None if nothing answered."""
    ways = _ways(host, question)
    answers = await asyncio.gather(
        *(_or_nothing(way, question.seconds) for way in ways.values())
    )
    heard = {way: said for way, said in zip(ways, answers, strict=True) if said is not None}
    if not heard:
        return None
    said = {name: value for said in heard.values() for name, value in said.items()}
    if "dns" in question.methods:
        found = await _or_nothing(
            protocols.reverse_name(host, question.seconds), question.seconds
        )
        said |= {"dns": found} if found else {}
    return HostReport(
        address=host,
        ports=tuple(int(way[4:]) for way in heard if way.startswith("tcp:")),
        mac_address=mac_address(host),
        ways=tuple(sorted({"tcp_connect" if way.startswith("tcp") else way for way in heard})),
        said=said,
    )


def _ways(host: str, question: Question) -> dict[str, Awaitable[dict[str, Any]]]:
    seconds = question.seconds
    single: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "mdns": lambda: protocols.mdns(host, seconds),
        "ssdp": lambda: protocols.ssdp(host, seconds),
        "snmp": lambda: protocols.snmp(host, question.community, seconds),
        "icmp": lambda: protocols.icmp(host, seconds),
        "arp": lambda: protocols.arp(host, seconds),
    }
    ways: dict[str, Awaitable[dict[str, Any]]] = {
        name: ask() for name, ask in single.items() if name in question.methods
    }
    if "tcp_connect" in question.methods:
        ways |= {f"tcp:{port}": protocols.tcp(host, port, seconds) for port in question.ports}
    return ways


async def _or_nothing(way: Awaitable[Any], seconds: float) -> Any:
    try:
        # Twice the timeout: connecting, and receiving an answer.
        return await asyncio.wait_for(way, 2 * seconds)
    except NO_ANSWER:
        return None
