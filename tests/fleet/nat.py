"""Overlay members behind routers of many kinds, in network namespaces.

A bridge is the internet. On it are the portal (a forwarder to a server on loopback), relays,
and routers, each with a member behind. The members run the real agent.
"""

import itertools
import os
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Self

from tests.fleet.namespaces import cable, entered, give_address, make_space, run, tried

if TYPE_CHECKING:
    from networks.overlay.models import Node

CLIENT = Path(__file__).parents[2] / "agents/muster-join"
PORTAL = "198.51.100.250"
PORTAL_PORT = 8000
INSIDE = "10.9.0.2"
CHUNK = 65536
CARRIERS = 200
V6 = "2001:db8"

# Rules of a router whose outer interface is `wan` and whose member has the address `inside`.
# What comes in without having been asked for is dropped, except where it says so.
STRANGERS = 'chain in { type filter hook input priority 0; iifname "wan" ct state new drop; }'
OUT = 'chain out { type nat hook postrouting priority 100; oifname "wan" masquerade; }'
RANDOM = OUT.replace("masquerade", "masquerade fully-random")
ALL_UDP = 'iifname "wan" meta l4proto udp'
TO_MEMBER = "chain pre { type nat hook prerouting priority -100; WHICH dnat to INSIDE; }"
SENT = (
    "set sent { type ipv4_addr; flags dynamic,timeout; timeout 60s; }; "
    "chain through { type filter hook forward priority 0; "
    'oifname "wan" update @sent { ip daddr }; }'
)
KINDS: dict[str, tuple[str, ...]] = {
    "cone": (OUT, TO_MEMBER.replace("WHICH", ALL_UDP)),
    "address": (SENT, OUT, TO_MEMBER.replace("WHICH", f"{ALL_UDP} ip saddr @sent"), STRANGERS),
    "port": (OUT, STRANGERS),
    "accept": (OUT,),
    "symmetric": (RANDOM, STRANGERS),
    "blocked": (
        OUT,
        "chain through { type filter hook forward priority 0; meta l4proto udp drop; }",
    ),
}  # fmt: skip


class Machine:
    """A namespace with the agent, as a member or a relay."""

    def __init__(self, lab: "NatLab", name: str) -> None:
        self.lab, self.name = lab, name
        self.number = len(lab.machines) + 1
        self.space = lab.new_space(f"h{self.number}")
        self.interface = f"mn{lab.tag}n{self.number}"
        self.direct = f"{self.interface}d"
        self.root = lab.folder / f"{name}-{self.number}"
        self.folder = self.root / "etc/muster/overlay"
        self.folder.mkdir(parents=True)
        (self.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
        self.agent: subprocess.Popen[bytes] | None = None
        lab.machines.append(self)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "MUSTER_ROOT": str(self.root),
            "MUSTER_OVERLAY_INTERFACE": self.interface,
            "MUSTER_OVERLAY_MTU": "1280",
        }

    def inside(self, *command: str) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.space, *command)

    def client(self, *words: str) -> str:
        exports = [f"{name}={value}" for name, value in self.environment.items()]
        return run(*self.inside("env", "-i", *exports, "sh", str(CLIENT), *words))

    def serve(self, node: "Node", url: str) -> None:
        """Give a relay its files, as a delivery of its configuration does."""
        from networks.overlay.rules import agent_tokens
        from networks.overlay.rules.plans import load_topology, script_parts

        _, found = script_parts(load_topology(), node)
        found |= {
            "portal": f"{url}\n", "token": f"{agent_tokens.token_of(node)}\n",
            "managed": "yes\n", "private": f"{node.private_key}\n",
        }  # fmt: skip
        for name, text in found.items():
            (self.folder / name).write_text(text)
        self.client("apply")

    def start_agent(self) -> None:
        log = (self.root / "agent.log").open("ab")
        self.agent = subprocess.Popen(
            self.inside("sh", str(CLIENT), "run"),
            env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip

    def start(self, *command: str, stdout: IO[bytes] | None = None) -> None:
        """Run a program in the machine until the end of the lab."""
        process = subprocess.Popen(
            self.inside(*command), stdout=stdout, stderr=subprocess.DEVNULL
        )
        self.lab.closing.append(lambda: _end(process))

    def asks(self, *question: str) -> list[str] | None:
        """Return the answers to a question of dig; None if nobody answers it."""
        at = () if question[0].startswith("@") else ("@127.0.0.1",)
        words = ("dig", "+short", "+tries=1", "+time=2", *at, *question)
        done = tried(*self.inside(*words))
        return None if done.returncode else done.stdout.split()

    def widen(self, interface: str, allowed: str) -> None:
        """Send anything to the interface's last peer, as a member that does not obey may."""
        (*_, peer) = run(*self.inside("wg", "show", interface, "peers")).split()
        run(*self.inside("wg", "set", interface, "peer", peer, "allowed-ips", allowed))

    def reads_stream(self, server: "Machine", target: str) -> "Stream":
        """Connect with a server that sends all the time."""
        return Stream(self, server, target)

    def stop_agent(self) -> None:
        if self.agent is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.agent.pid, signal.SIGKILL)
            self.agent.wait()
            self.agent = None

    def kill(self) -> None:
        """Let the machine vanish from the network."""
        self.stop_agent()
        for end in ("wan", "eth0"):
            tried("ip", "-n", self.space, "link", "set", end, "down")

    def fall_asleep(self) -> Callable[[], None]:
        """Stop everything that runs on the machine. Returns what wakes it up."""
        pids = [int(pid) for pid in run("ip", "netns", "pids", self.space).split()]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)

        def wake_up() -> None:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

        return wake_up

    def sees(self, target: str, *, count: int = 1, wait: int = 2) -> bool:
        words = ("ping", "-c", str(count), "-i", "0.2", "-W", str(wait), target)
        return tried(*self.inside(*words)).returncode == 0

    def sends_directly(self, target: str) -> bool:
        return self.sends_by(target) == self.direct

    def sends_by(self, target: str) -> str:
        """Return the interface that leads to an address."""
        said = run(*self.inside("ip", "route", "get", target))
        return said.split(" dev ")[1].split()[0]

    def knows(self, other: "Machine") -> bool:
        """Return whether the other is a peer on the interface for direct ways."""
        key = run("sh", "-c", f"wg pubkey <{other.folder}/private").strip()
        return key in run(*self.inside("wg", "show", self.direct, "peers"))

    def pinging(self, target: str) -> "Pinging":
        return Pinging(self, target)


class Stream:
    """A TCP connection on which the server sends, ten lines a second."""

    SEND = (
        "import socket, time\ns = socket.create_server(('0.0.0.0', 7000))\nc, _ = s.accept()\n"
        "while True: c.sendall(b'x'); time.sleep(0.1)"
    )
    READ = (
        "import socket, sys, time\n"
        "for _ in range(100):\n"
        "    try:\n        s = socket.create_connection((sys.argv[1], 7000))\n        break\n"
        "    except OSError: time.sleep(0.2)\n"
        "while (d := s.recv(100)): sys.stdout.write(d.decode()); sys.stdout.flush()"
    )

    def __init__(self, client: Machine, server: Machine, target: str) -> None:
        self.file = client.root / "stream"
        server.start("python3", "-c", self.SEND)
        with self.file.open("wb") as out:
            client.start("python3", "-c", self.READ, target, stdout=out)

    def grows(self) -> bool:
        """Return whether something arrives within a second."""
        before = self.file.stat().st_size
        time.sleep(1)
        return self.file.stat().st_size > before


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


class Pinging:
    """Twenty pings a second, each of which is looked for afterwards."""

    INTERVAL = 0.05
    # A probe, the look at its answer, and the change of a route may each come late.
    LATE = 3

    def __init__(self, machine: Machine, target: str) -> None:
        self.pace = Pace(machine.lab.internet)
        self.process = subprocess.Popen(
            machine.inside("ping", "-6", "-i", str(self.INTERVAL), target),
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def longest_silence(self) -> float:
        """End it, and return the seconds of the longest run of unanswered pings."""
        self.pace.stop()
        self.process.send_signal(signal.SIGINT)
        said, _ = self.process.communicate(timeout=20)
        numbers = [
            int(line.split("icmp_seq=")[1].split()[0])
            for line in said.splitlines()
            if " time=" in line
        ]
        if not numbers:
            return float("inf")
        gaps = [after - before - 1 for before, after in itertools.pairwise(numbers)]
        return max(gaps, default=0) * self.INTERVAL

    def own_silence(self) -> float:
        """End it, and return the longest silence less what the machine itself was late."""
        silence = self.longest_silence()
        return max(silence - self.LATE * self.pace.delay(), 0.0)


class Pace:
    """A shell that pings and sleeps as an agent does, in a namespace where nothing changes.

    It tells how late a busy machine is.
    """

    SLEEP = 0.2

    def __init__(self, space: str) -> None:
        turn = f"ping -c 1 {PORTAL} >/dev/null; read up rest </proc/uptime; echo $up; sleep {self.SLEEP}"
        self.process = subprocess.Popen(
            ("ip", "netns", "exec", space, "sh", "-c", f"while :; do {turn}; done"),
            stdout=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self.said = ""

    def stop(self) -> None:
        if not self.said:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.said, _ = self.process.communicate(timeout=20)

    def delay(self) -> float:
        """Return by how many seconds its longest turn was longer than a turn is."""
        self.stop()
        turns = [float(line) for line in self.said.split()]
        longest = max(
            (after - before for before, after in itertools.pairwise(turns)), default=0
        )
        return max(float(longest) - self.SLEEP, 0.0)


class NatLab:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tag = f"{os.getpid() % 1000}"
        self.spaces: list[str] = []
        self.machines: list[Machine] = []
        self.routers = 0
        self.outermost: dict[str, str] = {}
        self.closing: list[Callable[[], None]] = []

    def __enter__(self) -> Self:
        self.internet = self.new_space("net")
        # With an address of its own: a bridge takes the lowest of its ports, and who knows the
        # former one waits half a minute when a machine is plugged in.
        own = ("address", "02:00:00:00:00:01")
        run("ip", "-n", self.internet, "link", "add", "lan", *own, "type", "bridge")
        give_address(self.internet, "lan", f"{PORTAL}/24")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_agents()
        for space in self.spaces:
            for pid in tried("ip", "netns", "pids", space).stdout.split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            shutil.rmtree(Path("/etc/netns") / space, ignore_errors=True)
            tried("ip", "netns", "del", space)
        for machine in self.machines:
            for name in (machine.interface, machine.direct):
                Path(f"/var/run/wireguard/{name}.sock").unlink(missing_ok=True)

    def stop_agents(self) -> None:
        for machine in self.machines:
            machine.stop_agent()
        for close in self.closing:
            close()
        self.closing.clear()

    def new_space(self, name: str) -> str:
        space = f"n{self.tag}{name}"
        make_space(space)
        self.spaces.append(space)
        return space

    def plug(self, space: str, address: str, *, end: str = "wan") -> None:
        """Connect a namespace with the internet."""
        port = f"p{len(self.spaces)}{address.rpartition('.')[2]}"
        cable(space, end, self.internet, port)
        run("ip", "-n", self.internet, "link", "set", port, "master", "lan", "up")
        give_address(space, end, f"{address}/24")

    def serve(self, host: str, port: int) -> str:
        """Make the server on loopback reachable in the internet. Returns its URL."""
        with entered(self.internet):
            listener = socket.create_server((PORTAL, PORTAL_PORT), backlog=128)
        self.closing.append(listener.close)
        threading.Thread(target=_accept, args=(listener, (host, port)), daemon=True).start()
        return f"http://{PORTAL}:{PORTAL_PORT}"

    def relay(self, name: str = "hub") -> Machine:
        made = Machine(self, name)
        self.plug(made.space, f"198.51.100.{made.number}")
        return made

    def public(self, made: Machine) -> str:
        return f"198.51.100.{made.number}"

    def member(self, name: str, *kinds: str) -> Machine:
        """Return a member behind routers of these kinds, the outermost last."""
        made = Machine(self, name)
        self.outermost[name] = made.space
        if not kinds:
            self.plug(made.space, self.public(made), end="eth0")
            return made
        inner, address = made.space, INSIDE
        for level, kind in enumerate(kinds):
            is_last = level == len(kinds) - 1
            outer = self.public(made) if is_last else "100.64.0.2"
            router = self.router(kind, address, outer if is_last else "")
            self.join_router(inner, address, router, end="eth0" if level == 0 else "wan")
            inner, address = router, outer
        self.outermost[name] = inner
        return made

    def neighbor(self, name: str, of: Machine) -> Machine:
        """Return a member in a second LAN behind the same router, which routes between them."""
        made = Machine(self, name)
        router = self.outermost[name] = self.outermost[of.name]
        self.join_router(made.space, "10.9.1.2", router, end="eth0")
        return made

    def carrier(self) -> str:
        """Return the router of a carrier, which has one public address for its customers."""
        return self.router("port", "", f"198.51.100.{CARRIERS + self.routers}")

    def customer(self, name: str, carrier: str, *, has_router: bool = True) -> Machine:
        """Return a member with an address of a carrier, or behind a router with one."""
        made = Machine(self, name)
        address = f"100.64.{made.number}.2"
        self.outermost[name] = carrier
        if not has_router:
            self.join_router(made.space, address, carrier, end="eth0")
            return made
        router = self.router("port", INSIDE, "")
        self.join_router(made.space, INSIDE, router, end="eth0")
        self.join_router(router, address, carrier, end="wan")
        return made

    def hairpin(self, carrier: str, ports: dict[Machine, int]) -> None:
        """Let a carrier's customers reach each other's ports at its public address."""
        said = run("ip", "-n", carrier, "-o", "-4", "address", "show", "dev", "wan")
        public = said.split(" inet ")[1].partition("/")[0]
        inner = " ".join(
            f'iifname != "wan" ip daddr {public} udp dport {port} dnat to 100.64.{one.number}.2;'
            for one, port in ports.items()
        )
        rules = (
            "table ip hairpin { chain pre { type nat hook prerouting priority -101; "
            f"{inner} }}; chain out {{ type nat hook postrouting priority 99; "
            f'ct status dnat oifname != "wan" snat to {public}; }}; }}'
        )
        run("ip", "netns", "exec", carrier, "nft", rules)

    def behind(self, machine: Machine, address: str) -> Machine:
        """Return a host in a LAN of the member's own, which has the first address there."""
        made = Machine(self, f"behind-{machine.name}")
        cable(made.space, "eth0", machine.space, "lan0")
        network = address.rpartition(".")[0]
        give_address(made.space, "eth0", f"{address}/24")
        give_address(machine.space, "lan0", f"{network}.1/24")
        run("ip", "-n", made.space, "route", "add", "default", "via", f"{network}.1")
        return made

    def give_ipv6(self, machine: Machine) -> str:
        """Give a member a global IPv6 address behind a stateful firewall. Returns it."""
        router, number = self.outermost[machine.name], machine.number
        inside = ("ip", "netns", "exec", router)
        run(
            "ip",
            "-n",
            self.internet,
            "address",
            "replace",
            f"{V6}:ff::1/64",
            "dev",
            "lan",
            "nodad",
        )
        run(
            "ip",
            "netns",
            "exec",
            self.internet,
            "sysctl",
            "-qw",
            "net.ipv6.conf.all.forwarding=1",
        )
        run(*inside, "sysctl", "-qw", "net.ipv6.conf.all.forwarding=1")
        port = run("ip", "-n", router, "-o", "route", "show", "10.9.0.0/24").split()[2]
        run(
            "ip",
            "-n",
            router,
            "address",
            "add",
            f"{V6}:ff::{number + 1:x}/64",
            "dev",
            "wan",
            "nodad",
        )
        run("ip", "-n", router, "address", "add", f"{V6}:{number}::1/64", "dev", port, "nodad")
        run("ip", "-n", router, "route", "add", "default", "via", f"{V6}:ff::1")
        run(
            "ip",
            "-n",
            self.internet,
            "route",
            "add",
            f"{V6}:{number}::/64",
            "via",
            f"{V6}:ff::{number + 1:x}",
        )
        drop = 'type filter hook forward priority 0; iifname "wan" ct state new drop;'
        run(*inside, "nft", f"table ip6 wall {{ chain c {{ {drop} }}; }}")
        address = f"{V6}:{number}::2"
        run(
            "ip", "-n", machine.space, "address", "add", f"{address}/64", "dev", "eth0", "nodad"
        )
        run("ip", "-n", machine.space, "route", "add", "default", "via", f"{V6}:{number}::1")
        return address

    def map_ports(self, machine: Machine) -> None:
        """Let the router of a member map ports when asked by NAT-PMP (RFC 6886)."""
        router = self.outermost[machine.name]
        with entered(router):
            listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            listener.bind(("10.9.0.1", 5351))
        run("ip", "netns", "exec", router, "nft", "table ip mapped { chain pre { "
            "type nat hook prerouting priority -100; }; }")  # fmt: skip
        self.closing.append(listener.close)
        outer = socket.inet_aton(self.public(machine))
        threading.Thread(target=_map, args=(listener, router, outer), daemon=True).start()

    def cut(self, machine: Machine, port: int) -> Callable[[], str]:
        """Let the outermost router drop what its member sends from a port. Returns the undo."""
        router = self.outermost[machine.name]
        inside = ("ip", "netns", "exec", router, "nft")
        hook = "type filter hook forward priority -10;"
        run(*inside, f"table ip cut {{ chain c {{ {hook} udp sport {port} drop; }}; }}")
        return lambda: run(*inside, "delete", "table", "ip", "cut")

    def move(self, machine: Machine, address: str) -> None:
        """Give the machine's outermost router another address."""
        router = self.outermost[machine.name]
        run("ip", "-n", router, "address", "flush", "dev", "wan", "scope", "global")
        run("ip", "-n", router, "address", "add", f"{address}/24", "dev", "wan")

    def router(self, kind: str, inside: str, outer: str) -> str:
        self.routers += 1
        router = self.new_space(f"r{self.routers}")
        if outer:
            self.plug(router, outer)
        run("ip", "netns", "exec", router, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        run("ip", "netns", "exec", router, "nft", _rules(kind, inside))
        return router

    def join_router(self, space: str, address: str, router: str, *, end: str) -> None:
        """Put a namespace behind a router, which is the next address below."""
        network, _, host = address.rpartition(".")
        gateway = f"{network}.{int(host) - 1}"
        port = f"l{len(self.spaces)}{self.routers}"
        cable(space, end, router, port)
        give_address(space, end, f"{address}/24")
        give_address(router, port, f"{gateway}/24")
        run("ip", "-n", space, "route", "add", "default", "via", gateway)


def _rules(kind: str, inside: str) -> str:
    rules = "; ".join(KINDS[kind]).replace("INSIDE", inside)
    return f"table ip home {{ {rules}; }}"


def _map(listener: socket.socket, router: str, outer: bytes) -> None:
    """Answer for the outer address (operation 0) and map UDP ports (operation 1)."""
    while True:
        try:
            asked, client = listener.recvfrom(64)
        except OSError:
            return
        head = bytes([0, asked[1] + 128]) + struct.pack("!HI", 0, 1)
        if asked[1] == 0:
            listener.sendto(head + outer, client)
            continue
        inner, wanted, seconds = struct.unpack("!HHI", asked[4:12])
        target = f"iifname wan udp dport {wanted} dnat to {client[0]}:{inner}"
        run("ip", "netns", "exec", router, "nft", f"add rule ip mapped pre {target}")
        listener.sendto(head + struct.pack("!HHI", inner, wanted, seconds), client)


def _accept(listener: socket.socket, target: tuple[str, int]) -> None:
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_connect, args=(client, target), daemon=True).start()


def _connect(client: socket.socket, target: tuple[str, int]) -> None:
    """Forward a connection both ways. A server that is slow to accept delays no other one."""
    try:
        server = socket.create_connection(target)
    except OSError:
        client.close()
        return
    threading.Thread(target=_forward, args=(client, server), daemon=True).start()
    _forward(server, client)


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def until(happened: Callable[[], bool], seconds: float = 120) -> float:
    """Wait until it happened. Returns the seconds that it took."""
    began = time.monotonic()
    while not happened():
        assert time.monotonic() - began < seconds, f"not within {seconds} seconds"
        time.sleep(0.1)
    return time.monotonic() - began
