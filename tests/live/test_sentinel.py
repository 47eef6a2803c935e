"""Redis by Sentinels: the master dies, a replica takes over, and worker and portal go on."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache
from kombu import Connection
from redis import Redis
from redis.exceptions import RedisError

from controller.base import health
from controller.base.redis import async_client, quick_client, waiting_client
from controller.base.redis_sentinel import broker, sentinel_address
from controller.celery import app
from controller.environment import redis_cache
from tests.fleet.ports import free_port
from tests.live.conftest import ROOT, eventually

pytestmark = [pytest.mark.live, pytest.mark.once]
PASSWORD = "a word: with/marks"


class Group:
    """Two Redis servers with a password, one the replica of the other, and three Sentinels."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = [free_port(), free_port()]
        self.sentinels = [free_port() for _ in range(3)]
        self.servers = [self.start_server(port) for port in self.ports]
        self.client(0).ping()
        self.processes = [self.start_sentinel(port) for port in self.sentinels]
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        self.url = f"redis+sentinel://:a%20word%3A%20with%2Fmarks@{hosts}/fleet/1"
        eventually("the replica follows", self.is_ready)

    def start_server(self, port: int) -> "subprocess.Popen[bytes]":
        options = {
            "bind": "127.0.0.1", "port": port, "save": "", "dir": self.folder,
            "requirepass": PASSWORD, "masterauth": PASSWORD,
            "dbfilename": f"{port}.rdb", "repl-diskless-sync-delay": 0,
        }  # fmt: skip
        words = [str(word) for key, value in options.items() for word in (f"--{key}", value)]
        if port != self.ports[0]:
            words += ["--replicaof", "127.0.0.1", str(self.ports[0])]
        server = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        eventually("Redis listens", lambda: answers(self.client(self.ports.index(port))))
        return server

    def client(self, number: int) -> Redis:
        return Redis(port=self.ports[number], password=PASSWORD, socket_timeout=2)

    def start_sentinel(self, port: int) -> "subprocess.Popen[bytes]":
        # Sentinels write what they learn into their file.
        path = self.folder / f"sentinel-{port}.conf"
        path.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
            f"sentinel monitor fleet 127.0.0.1 {self.ports[0]} 2\n"
            f'sentinel auth-pass fleet "{PASSWORD}"\n'
            "sentinel down-after-milliseconds fleet 1500\n"
            "sentinel failover-timeout fleet 10000\n"
        )
        return subprocess.Popen(
            ["redis-server", str(path), "--sentinel"], stdout=subprocess.DEVNULL
        )

    def is_ready(self) -> bool:
        """Return whether each Sentinel knows both others and the replica."""
        for port in self.sentinels:
            try:
                known: Any = Redis(port=port, socket_timeout=2).sentinel_master("fleet")
            except RedisError:
                return False
            if (known["num-slaves"], known["num-other-sentinels"]) != (1, 2):
                return False
        return bool(self.client(1).info("replication")["master_link_status"] == "up")

    def kill_master(self) -> None:
        self.servers[0].send_signal(signal.SIGKILL)
        self.servers[0].wait()

    def close(self) -> None:
        for one in (*self.processes, *self.servers):
            one.kill()
            one.wait()


def answers(client: Redis) -> bool:
    try:
        return bool(client.ping())
    except RedisError:
        return False


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    made = Group(tmp_path)
    yield made
    made.close()


@pytest.fixture
def worker(group: Group) -> Iterator["subprocess.Popen[bytes]"]:
    environment = os.environ | {
        "MUSTER_DATA_DIR": str(group.folder),
        "REDIS_URL": group.url,
        "CELERY_BROKER_URL": group.url,
        "DATABASE_URL": f"spatialite:///{group.folder}/empty.sqlite3",
    }
    command = ["-m", "celery", "--app", "controller", "worker", "--concurrency", "1"]
    with (group.folder / "worker.log").open("wb") as log:
        made = subprocess.Popen(
            [sys.executable, *command, "--queues", "default", "--pool", "prefork"],
            cwd=ROOT, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    yield made
    made.terminate()
    try:
        made.wait(30)
    finally:
        made.kill()


def works(group: Group, worker: "subprocess.Popen[bytes]") -> None:
    """The worker says that it listens, and carries out a task."""
    address, options = broker(group.url)
    eventually("the worker listens", lambda: said(health.WORKERS))
    with Connection(address, transport_options=options) as connection:
        app.send_task("controller.accounts.tasks.beat", queue="default", connection=connection)
    eventually("the task is done", lambda: said(health.BEAT))
    assert worker.poll() is None, (group.folder / "worker.log").read_text()[-4000:]


def said(name: str) -> bool:
    try:
        return bool(quick_client().exists(name))
    except (RedisError, OSError):
        return False


def test_a_master_that_dies_costs_seconds(
    group: Group, worker: "subprocess.Popen[bytes]", settings: Any
) -> None:
    settings.REDIS_URL = group.url
    place = redis_cache(group.url)
    cache = RedisCache(place["LOCATION"], {"OPTIONS": place["OPTIONS"]})
    works(group, worker)
    cache.set("name", "before")
    eventually("the replica has it", lambda: cache_key_arrived(group))
    group.kill_master()
    eventually("a replica took over", takes_writes)
    works(group, worker)
    assert cache.get("name") == "before"
    with waiting_client() as redis:
        redis.rpush("list", "here")
        assert list(redis.blpop(["list"])) == [b"list", b"here"]
    # In a thread of its own: tests in a browser keep an event loop running in this one.
    with ThreadPoolExecutor() as pool:
        assert pool.submit(lambda: asyncio.run(ask())).result() == "PONG"
    assert group.client(1).info("keyspace").keys() == {"db1"}


async def ask() -> str:
    async with async_client() as redis:
        return "PONG" if await redis.ping() else ""


def cache_key_arrived(group: Group) -> bool:
    replica = Redis(port=group.ports[1], password=PASSWORD, db=1, socket_timeout=2)
    return bool(replica.exists(":1:name"))


def takes_writes() -> bool:
    """Return whether the Sentinels name a master that forgot what the worker said."""
    try:
        quick_client().delete(health.WORKERS, health.BEAT)
    except (RedisError, OSError):
        return False
    return True


@pytest.mark.parametrize(
    ("url", "sentinels", "rest"),
    [
        ("redis+sentinel://a/fleet", (("a", 26379),), ("fleet", 0, {})),
        (
            "redis+sentinel://me:p%40ss@a:1,[fd00::1]:2/my%20fleet/3",
            (("a", 1), ("fd00::1", 2)),
            ("my fleet", 3, {"username": "me", "password": "p@ss"}),
        ),
    ],
)
def test_an_address_names_sentinels_and_a_service(
    url: str, sentinels: object, rest: tuple[object, ...]
) -> None:
    found = sentinel_address(url)
    assert (found.sentinels, (found.service, found.database, dict(found.login))) == (
        sentinels,
        rest,
    )
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://a", "redis+sentinel:///fleet", "redis+sentinel://a:x/fleet",
     "redis+sentinel://a/fleet/one", "redis+sentinel://a,,b/fleet"],
)  # fmt: skip
def test_an_address_without_hosts_or_service_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match=r"expected redis\+sentinel://"):
        sentinel_address(url)
