"""The one way to the outside, tried with what it has to refuse."""

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from django.core.exceptions import ImproperlyConfigured

from controller.base.errors import Refused
from controller.base.outbound import Kind, OutOfBounds, datagrams, http, tcp, websocket
from controller.base.outbound.addresses import parsed, policy
from controller.base.outbound.requests_adapter import session
from controller.connections.drivers.contract import Address, Login
from controller.connections.drivers.ssh import open_shell
from controller.connections.drivers.tcp import probe
from controller.discovery.drivers import prober
from controller.discovery.drivers.contract import Question
from controller.environment import networks
from controller.monitoring.drivers import icmp
from controller.notifications.drivers import webhook as notification
from controller.vpn.drivers import webhook as vpn_webhook
from controller.vpn.drivers.contract import Endpoint as VpnEndpoint
from controller.vpn.drivers.zerotier import Controller
from geo.drivers.nominatim import Nominatim
from networks.gateways.drivers.contract import Endpoint
from networks.gateways.drivers.http import Http
from networks.gateways.drivers.routeros import Binary
from pki.drivers import http01
from supervisor_proxy.drivers.contract import Order, Target
from supervisor_proxy.drivers.hassio import Hassio

# Each of them leads to this machine, its link, a cloud's secrets, many machines, or none.
HOSTILE = (
    "127.0.0.1", "127.1", "127.255.255.254", "0x7f.1", "0x7f000001", "0177.0.0.1", "017700000001",
    "2130706433", "127.0.0.1.", "localhost", "localhost.", "LOCALHOST", "::1", "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1", "::ffff:7f00:1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:7f00:1::1",
    "2001:0:7f00:1::80ff:fffe", "0.0.0.0", "0", "::", "0.0.0.1", "169.254.169.254", "169.254.1.1",  # noqa: S104
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2852039166", "fe80::1", "fec0::1",
    "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "::ffff:100.100.100.200", "168.63.129.16",
    "192.0.0.192", "224.0.0.251", "239.255.255.250", "ff02::1", "255.255.255.255", "240.0.0.1",
    "inside.example.org", "mixed.example.org", "six.example.org", "mapped.example.org",
)  # fmt: skip
NAMES = {
    "inside.example.org": ["127.0.0.1"],
    # One address that may be connected to does not excuse the other.
    "mixed.example.org": ["93.184.216.34", "127.0.0.1"],
    "six.example.org": ["::1"],
    "mapped.example.org": ["::ffff:127.0.0.1"],
}
real = socket.getaddrinfo


@pytest.fixture(autouse=True)
def _usual_networks(settings: Any) -> None:
    """As wide as settings get without naming what has to be named: all of both protocols."""
    for kind in Kind:
        setattr(settings, kind.value, ["private", "internet", "0.0.0.0/0", "::/0"])


def resolver(monkeypatch: pytest.MonkeyPatch, answers: Callable[[str], list[str] | None]) -> None:  # fmt: skip
    """Stand in for the system's resolver, for names of example.org."""

    def looked_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        found = answers(str(host)) if str(host).endswith("example.org") else None
        if found is None:
            return real(host, port, *args, **kwargs)
        return [
            (socket.AF_INET6 if ":" in one else socket.AF_INET, 1, 6, "", (one, port))
            for one in found
        ]

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)


class Listener:
    """Counts who comes; ``answers`` says what it does with them."""

    def __init__(self, answer: Callable[[Any], None] | None = None) -> None:
        self.heard: list[str] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                listener.heard.append(f"{self.headers['Host']} {self.path}")
                if answer:
                    answer(self)
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def url(host: str, port: int, scheme: str = "http") -> str:
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"


def fetched(kind: Kind) -> Callable[[str, int], Any]:
    def fetch(host: str, port: int) -> None:
        with http.client(kind) as client:
            client.get(url(host, port))

    return fetch


def awaited(act: Callable[[str, int], Coroutine[Any, Any, Any]]) -> Callable[[str, int], Any]:
    return lambda host, port: asyncio.run(act(host, port))


async def fetched_async(host: str, port: int) -> None:
    async with http.async_client(Kind.DEVICE) as client:
        await client.get(url(host, port))


async def opened_shell(host: str, port: int) -> None:
    async with open_shell(Address(host, port), Login("root", "never-sent")):
        """Not reached."""


async def probed(host: str, port: int) -> None:
    found = await probe(Address(host, port), banner=False)
    if not found.reachable:
        raise Refused(found.reason)


async def scanned(host: str, port: int) -> None:
    ways = ("tcp_connect", "icmp", "arp", "mdns", "ssdp", "snmp")
    if await prober.probe(host, Question(ways, (port,), 0.1)) is None:
        raise Refused("Nothing answered.")


async def pinged(host: str, _: int) -> None:
    (found,) = await icmp.ping_many([host], rounds=1, patience=0)
    if not found.sent:
        raise Refused("None was sent.")


def zerotier(host: str, port: int) -> None:
    with Controller(VpnEndpoint(url(host, port).rstrip("/"), "token")) as controller:
        controller.node_id()


def gateway(host: str, port: int) -> None:
    with Http(Endpoint(url(host, port), {}), "api/") as device:
        device.ask("GET", "status")


CLIENTS: dict[str, Callable[[str, int], Any]] = {
    **{f"http {kind.name.lower()}": fetched(kind) for kind in Kind},
    "async http": awaited(fetched_async),
    "requests": lambda host, port: session(Kind.SERVICE).get(url(host, port)),
    "tcp": lambda host, port: tcp.connect(Kind.GATEWAY, host, port, seconds=2).close(),
    "async tcp": awaited(lambda host, port: tcp.connect_async(Kind.DEVICE, host, port)),
    "udp": awaited(lambda host, port: datagrams.ask(Kind.DISCOVERY, host, port, b"?", seconds=1)),
    "icmp": awaited(lambda host, _: datagrams.ping(Kind.DEVICE, host, seconds=1)),
    "pings": awaited(pinged),
    "websocket": awaited(
        lambda host, port: websocket.connect(Kind.SUPERVISOR, host, port, "/", seconds=2, largest=99)
    ),
    "ssh": awaited(opened_shell),
    "probe": awaited(probed),
    "scan": awaited(scanned),
    "notification": lambda host, port: notification.send(
        notification.Message(url(host, port), {}, b"{}")
    ),
    "VPN webhook": lambda host, port: vpn_webhook.tell(VpnEndpoint(url(host, port), "token")),
    "ZeroTier": zerotier,
    "ACME": lambda host, port: http01.fetch(host, "token", port=port),
    "geocoder": lambda host, port: Nominatim(url(host, port)).find("here"),
    "gateway": gateway,
    "RouterOS": lambda host, port: Binary(
        Endpoint(url(host, port), {"key": "k", "secret": "s"})
    ),
    "supervisor": awaited(lambda host, port: Hassio().call(Target(host, port), Order("GET", "/"))),
}  # fmt: skip
# What they are given is never a name.
OF_ADDRESSES = {"scan", "pings"}
REFUSALS = (Refused, requests.RequestException, http.InvalidURL)


@pytest.mark.parametrize("client", CLIENTS)
def test_no_client_reaches_what_no_setting_names(
    client: str, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolver(monkeypatch, NAMES.get)
    for host in HOSTILE:
        if client in OF_ADDRESSES and parsed(host) is None:
            continue
        with pytest.raises(REFUSALS):
            CLIENTS[client](host, listener.port)
    assert listener.heard == []


@pytest.mark.parametrize("client", ["http device", "async http", "requests", "gateway", "ACME"])
def test_what_a_setting_names_is_reached(
    client: str, listener: Listener, settings: Any
) -> None:
    for kind in Kind:
        setattr(settings, kind.value, ["127.0.0.0/8"])
    with suppress(Refused):
        # What came is no answer of its kind.
        CLIENTS[client]("127.0.0.1", listener.port)
    assert len(listener.heard) == 1


def test_a_name_that_changes_its_mind_is_asked_once(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MUSTER_DEVICE_NETWORKS = ["127.0.0.1/32"]
    asked: list[str] = []

    def changing(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    resolver(monkeypatch, changing)
    with http.client(Kind.DEVICE) as client:
        for _ in range(3):
            # A connection of its own each time.
            answer = client.get(
                url("rebind.example.org", listener.port), headers={"Connection": "close"}
            )
            assert answer.text == "ok"
    assert listener.heard == [f"rebind.example.org:{listener.port} /"] * 3
    assert len(asked) == 1
    with http.client(Kind.DEVICE) as client, pytest.raises(OutOfBounds, match="rebind"):
        client.get(url("rebind.example.org", listener.port))


def test_a_redirect_is_an_answer(settings: Any) -> None:
    def redirect(request: Any) -> None:
        request.send_response(302)
        request.send_header("Location", "http://127.0.0.1/secret")
        request.send_header("Content-Length", "0")
        request.end_headers()

    settings.MUSTER_DEVICE_NETWORKS = settings.MUSTER_SERVICE_NETWORKS = ["127.0.0.0/8"]
    listener = Listener(redirect)
    try:
        with http.client(Kind.DEVICE) as client:
            assert client.get(url("127.0.0.1", listener.port)).status_code == 302
        with pytest.raises(requests.RequestException):
            session(Kind.SERVICE).get(url("127.0.0.1", listener.port))
        assert len(listener.heard) == 2
    finally:
        listener.close()


def test_no_proxy_and_no_password_come_from_the_environment(
    listener: Listener, monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Any
) -> None:
    settings.MUSTER_DEVICE_NETWORKS = settings.MUSTER_SERVICE_NETWORKS = ["127.0.0.0/8"]
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.9:9")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with http.client(Kind.DEVICE) as client:
        sent = client.get(url("127.0.0.1", listener.port)).request
        assert "authorization" not in sent.headers
    answer = session(Kind.SERVICE).get(url("127.0.0.1", listener.port))
    assert answer.text == "ok"
    assert "Authorization" not in answer.request.headers


def packed(request: Any) -> None:
    body = gzip.compress(b"0" * 1_000_000)
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def endless(request: Any) -> None:
    request.send_response(200)
    request.end_headers()
    try:
        while True:
            request.wfile.write(b"0" * 65536)
    except OSError:
        request.close_connection = True


def slow(request: Any) -> None:
    """Each byte comes well within the timeout of a step."""
    try:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not request.server.is_over.wait(0.05):
            request.wfile.write(b"z")
    except OSError:
        request.close_connection = True


@pytest.mark.parametrize(
    ("behavior", "error"),
    [(packed, http.TooLarge), (endless, http.TooLarge), (slow, http.TimeoutException)],
)
def test_time_and_size_are_bounded(behavior: Any, error: Any, settings: Any) -> None:
    settings.MUSTER_DEVICE_NETWORKS = ["127.0.0.0/8"]
    listener = Listener(behavior)
    listener.server.is_over = threading.Event()  # type: ignore[attr-defined]
    bounds: dict[str, Any] = {"timeout": 30.0, "seconds": 0.5, "largest": 1_000_000}
    if error is http.TooLarge:
        bounds["seconds"] = 60.0

    async def fetch() -> None:
        async with http.async_client(Kind.DEVICE, **bounds) as client:
            await client.get(url("127.0.0.1", listener.port))

    try:
        began = time.monotonic()
        with pytest.raises(error), http.client(Kind.DEVICE, **bounds) as client:
            client.get(url("127.0.0.1", listener.port))
        with pytest.raises(error):
            asyncio.run(fetch())
        assert time.monotonic() - began < 30
    finally:
        listener.server.is_over.set()  # type: ignore[attr-defined]
        listener.close()


@pytest.mark.parametrize(
    ("words", "host", "is_let"),
    [
        (["10.0.0.0/8"], "10.1.2.3", True),
        (["10.0.0.0/8"], "::ffff:10.1.2.3", True),
        (["10.0.0.0/8"], "11.1.2.3", False),
        (["private"], "192.168.1.1", True),
        (["private"], "fd12::1", True),
        (["private"], "8.8.8.8", False),
        (["internet"], "8.8.8.8", True),
        (["internet"], "10.1.2.3", False),
        (["0.0.0.0/0"], "127.0.0.1", False),
        (["127.0.0.0/8"], "127.0.0.1", True),
        (["127.0.0.0/8"], "::ffff:127.0.0.1", True),
        (["fe80::/10"], "fe80::1", True),
        (["100.64.0.0/10"], "100.100.100.200", False),
        (["100.100.100.200/32"], "100.100.100.200", True),
        # A translated address is opened twice: for how it is written, and for where it leads.
        (["64:ff9b::/96"], "64:ff9b::7f00:1", False),
        (["64:ff9b::/96", "10.0.0.0/8"], "64:ff9b::10.1.2.3", True),
        (["2002::/16", "internet"], "2002:808:808::1", True),
        (["2002::/16", "internet"], "2002:7f00:1::1", False),
        (["224.0.0.0/4"], "224.0.0.251", False),
        (["0.0.0.0/8", "::/128"], "0.0.0.0", False),  # noqa: S104
    ],
)
def test_a_network_opens_what_lies_in_it_and_no_special_range(
    words: list[str], host: str, is_let: bool
) -> None:
    address = parsed(host)
    assert address is not None
    assert (policy("SETTING", tuple(words)).refusal(address) == "") == is_let


def test_a_word_that_is_no_network_stops_the_portal_from_starting() -> None:
    with pytest.raises(ImproperlyConfigured, match="intranet"):
        networks(["private", "intranet"])
