"""Redis addresses that name Sentinels: the master is asked for at each new connection.

The form is ``redis+sentinel://user:password@host:port,host:port/service/database``, with
``?sentinel_password=`` where the Sentinels want a password of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from redis import ConnectionPool, Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.sentinel import Sentinel as AsyncSentinel
from redis.sentinel import Sentinel

SCHEME = "redis+sentinel"
FORM = f"{SCHEME}://:password@host:26379,host:26379/service/0"
PORT = 26379
SECONDS = 2.0


@dataclass(frozen=True)
class SentinelAddress:
    """Service at a group of Sentinels, with the credentials of its Redis servers."""

    sentinels: tuple[tuple[str, int], ...]
    service: str
    database: int = 0
    login: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentinel_password: str = field(default="", repr=False)

    def sentinel_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {"socket_timeout": SECONDS, "socket_connect_timeout": SECONDS}
        return options | (
            {"password": self.sentinel_password} if self.sentinel_password else {}
        )

    def redis_options(self) -> dict[str, Any]:
        return {"db": self.database, **self.login}


def names_sentinels(url: str) -> bool:
    return url.startswith(f"{SCHEME}://")


def sentinel_address(url: str) -> SentinelAddress:
    """Read an address; raise ValueError with the form that is expected."""
    # By hand: the standard library takes a single host between brackets.
    address, _, query = url.removeprefix(f"{SCHEME}://").partition("?")
    place, _, path = address.partition("/")
    login, _, hosts = place.rpartition("@")
    name, _, password = (unquote(one) for one in login.partition(":"))
    service, _, database = path.strip("/").partition("/")
    try:
        sentinels = tuple(_host(one) for one in hosts.split(","))
        number = int(database or 0)
    except ValueError:
        raise ValueError(f"expected {FORM}") from None
    if not service or number < 0:
        raise ValueError(f"the name of the service is missing: expected {FORM}")
    given = {"username": name, "password": password}
    return SentinelAddress(
        sentinels,
        unquote(service),
        number,
        {key: value for key, value in given.items() if value},
        parse_qs(query).get("sentinel_password", [""])[0],
    )


def _host(text: str) -> tuple[str, int]:
    one = urlsplit(f"//{text}")
    if not one.hostname:
        raise ValueError
    return one.hostname, one.port or PORT


def master(url: str, **options: Any) -> Redis:
    """Return a client of the present master of the address's service."""
    address = sentinel_address(url)
    group: Any = Sentinel(  # type: ignore[no-untyped-call]
        address.sentinels, sentinel_kwargs=address.sentinel_options()
    )
    found: Redis = group.master_for(address.service, **address.redis_options(), **options)
    return found


def async_master(url: str, **options: Any) -> "AsyncRedis":
    """Return an asynchronous client of the present master of the address's service."""
    address = sentinel_address(url)
    group: Any = AsyncSentinel(  # type: ignore[no-untyped-call]
        address.sentinels, sentinel_kwargs=address.sentinel_options()
    )
    found: AsyncRedis = group.master_for(address.service, **address.redis_options(), **options)
    return found


class MasterPool:
    """Pool of connections to the master, in the shape that Django's cache asks for."""

    @staticmethod
    def from_url(url: str, **options: Any) -> ConnectionPool:
        return master(url, **options).connection_pool


def broker(url: str) -> tuple[str, dict[str, Any]]:
    """Return the address and the transport options under which Celery finds this broker."""
    if not names_sentinels(url):
        return url, {}
    address = sentinel_address(url)
    login = ":".join(quote(address.login.get(one, ""), "") for one in ("username", "password"))
    places = ";".join(
        f"sentinel://{login}@{f'[{host}]' if ':' in host else host}:{port}/{address.database}"
        for host, port in address.sentinels
    )
    return places, {
        "master_name": address.service,
        "sentinel_kwargs": address.sentinel_options(),
    }
