"""Ports on loopback for servers that must be told theirs, and for devices that are away."""

import contextlib
import random
import socket
from collections.abc import Iterator

# Below the range that the kernel hands out to outgoing connections, so that it stays ours.
PORTS = range(20000, 32000)
_given: set[int] = set()
# Tests give random a seed, and their processes would all begin with the same port.
_chance = random.SystemRandom()


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port that nothing listens on, and that this process gives but once."""
    for port in _chance.sample(PORTS, 200):
        with socket.socket(socket.AF_INET, kind) as candidate, contextlib.suppress(OSError):
            if port not in _given:
                candidate.bind(("127.0.0.1", port))
                _given.add(port)
                return port
    raise RuntimeError("No free port on loopback.")


@contextlib.contextmanager
def closed_ports(count: int) -> Iterator[list[int]]:
    """Ports that refuse, and that nobody else is given meanwhile.

    Were they only free, a connection could be given one as its own, and meet itself.
    """
    with contextlib.ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind(("127.0.0.1", 0))
        yield [one.getsockname()[1] for one in taken]
