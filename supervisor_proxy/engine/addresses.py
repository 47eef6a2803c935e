"""The ports at which supervisors listen."""

PORTS = range(1, 65536)
LOWEST_FREE_PORT = 1024
WEB = 80


def port_fits(port: int) -> bool:
    """Return whether the port is allowed: 80 for old devices, or unprivileged."""
    return port == WEB or LOWEST_FREE_PORT <= port < PORTS.stop
