"""The one way to the outside. Everything that connects to another machine does so from here.

A host is looked up once, every address it has is held against the networks that the setting of
its kind names, and the address that was checked is the one that is connected to. Nothing follows
redirects, nothing reads proxies or credentials from the environment, and time and size are bounded.
"""

from controller.base.outbound import datagrams, http, tcp, websocket
from controller.base.outbound.kinds import (
    Kind,
    OutOfBounds,
    check_address,
    check_host,
    policy_of,
)

__all__ = [
    "Kind", "OutOfBounds", "check_address", "check_host", "datagrams", "http", "policy_of",
    "tcp", "websocket",
]  # fmt: skip
