"""Loopback ports for servers that need a fixed one, and for unreachable devices."""

import contextlib
import random
import socket
from collections.abc import Iterator

# Below the kernel's ephemeral range, so that no outgoing connection takes it.
PORTS = range(20000, 32000)
_given: set[int] = set()
# An own random source: tests seed `random`, so all processes would pick the same port.
_chance = random.SystemRandom()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return an unused port, each only once per process."""
    for port in _chance.sample(PORTS, 200):
        with socket.socket(socket.AF_INET, kind) as candidate, contextlib.suppress(OSError):
            if port not in _given:
                candidate.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise RuntimeError("No free port on loopback.")


@contextlib.contextmanager
def closed_ports(count: int) -> Iterator[list[int]]:
    """Reserve ports that refuse connections.

    A merely free port could become a connection's own source port and connect to itself.
    """
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in taken]
