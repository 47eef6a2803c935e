"""Let web servers, workers and a replica behind PgBouncer die, one after the other.

A program of its own, since it sets the environment of a whole portal.
"""

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import httpx
import psycopg

from benchmarks.stage import Stage, stage
from tests.fleet.ports import free_port
from tests.live.database_away import ROWS, begin, has, wait_for

DEVICES = "/api/v1/controller/device/"
PLACES = "/api/v1/controller/location/"
SECONDS = 120


class Client:
    """A program behind a proxy that takes the next web server if one does not accept it."""

    def __init__(self, urls: list[str], token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self.servers = [
            httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)
            for url in urls
        ]

    def ask(self, method: str, path: str, **values: Any) -> httpx.Response:
        for server in self.servers:
            try:
                return server.request(method, path, **values)
            except httpx.ConnectError:
                continue
        raise AssertionError("no web server accepts connections")

    def shows(self, name: str) -> bool:
        answer = self.ask("GET", DEVICES, params={"page_size": 100, "search": name})
        assert answer.status_code == 200, answer.text
        return name in {one["name"] for one in answer.json()["results"]}


class Writers:
    """Programs that add devices, each by itself, until they are stopped."""

    def __init__(self, clients: list[Client], organization: str) -> None:
        self.organization = organization
        self.is_over = threading.Event()
        self.added: list[str] = []
        self.cut_off: list[str] = []
        self.wrong: list[str] = []
        self.threads = [
            threading.Thread(target=self.add, args=(number, client), daemon=True)
            for number, client in enumerate(clients)
        ]

    def add(self, number: int, client: Client) -> None:
        count = 0
        while not self.is_over.wait(0.05):
            count += 1
            name = f"device-{number}-{count}"
            try:
                answer = add_device(client, name, self.organization)
            except httpx.TransportError:
                self.cut_off.append(name)
                continue
            (self.added if answer.status_code == 201 else self.wrong).append(name)

    def has_added(self, more: int) -> Callable[[], bool]:
        wanted = len(self.added) + more
        return lambda: len(self.added) >= wanted

    def __enter__(self) -> "Writers":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        for thread in self.threads:
            thread.join(SECONDS)


def add_device(client: Client, name: str, organization: str) -> httpx.Response:
    _, number, count = name.split("-")
    mac = f"52:54:00:{int(number):02x}:{int(count) // 256:02x}:{int(count) % 256:02x}"
    values = {"name": name, "organization": organization, "mac_address": mac}
    return client.ask("POST", DEVICES, json=values)


def lose_machines(at: Stage, clients: list[Client], port: int, user: Any, owner: Any) -> None:
    """Lose a web server and a worker under load."""
    from controller.devices.models import Device
    from geo.models import Location

    with Writers(clients, str(owner.pk)) as writers:
        wait_for("both write", writers.has_added(20), SECONDS)
        at.kill("web")
        wait_for("the other server takes all", writers.has_added(20), SECONDS)
        at.start_web(workers=1)
        at.kill("second web")
        wait_for("the first one is back", writers.has_added(20), SECONDS)
        at.start_web(workers=1, name="second web", port=port)
        row = begin(user, owner.slug)
        at.kill("worker")
        wait_for("the other worker ends the import", lambda: has(row, "done"), 600)
        at.start_worker(concurrency=1)
        at.kill("second worker")
    assert not writers.wrong, writers.wrong
    # A server that dies cuts off what it has at hand, one request of each program at most.
    assert len(writers.cut_off) <= 2 * len(clients), writers.cut_off
    names = sorted(Device.objects.values_list("name", flat=True))
    assert len(names) == len(set(names))
    assert set(writers.added) <= set(names) <= {*writers.added, *writers.cut_off}
    assert (Location.objects.count(), row.found["counts"]) == (ROWS, {"new": ROWS})


class Replica:
    """The replica as its owner sees it."""

    def __init__(self, at: Stage) -> None:
        self.connection = psycopg.connect(
            host=str(at.folder / "replica-socket"),
            user="muster",
            dbname="muster",
            autocommit=True,
        )

    def execute(self, sql: str) -> None:
        self.connection.execute(sql)

    def reads(self, table: str) -> int:
        """Return how often rows of a table were asked for until some seconds ago."""
        sql = "SELECT seq_scan + coalesce(idx_scan, 0) FROM pg_stat_user_tables WHERE relname = %s"
        found = self.connection.execute(sql, [table]).fetchone()
        return int(found[0]) if found else 0

    def is_read(self, table: str) -> Callable[[], bool]:
        before = self.reads(table)
        return lambda: self.reads(table) > before


def lose_replica(at: Stage, clients: list[Client], owner: Any, revoke: Any) -> None:
    """See who reads from the replica, and let it fall behind and die."""
    writer, reader = clients
    replica = Replica(at)

    def add(name: str) -> None:
        assert add_device(writer, name, str(owner.pk)).status_code == 201
        assert writer.shows(name), "who wrote something sees it at once"
        wait_for("the other one sees it", lambda: reader.shows(name), 20)

    add("device-8-1")
    # The answer to repeated reads, and the one of a view.
    for path, table in ((DEVICES, "devices_device"), (PLACES, "geo_location")):
        wait_for(
            f"{path} is read from the replica", asked(reader, path, replica.is_read(table))
        )
    assert replica.reads("accounts_user") == 0, "who somebody is comes from the primary"
    replica.execute("SELECT pg_wal_replay_pause()")
    add("device-8-2")
    replica.execute("SELECT pg_wal_replay_resume()")
    revoke()
    assert writer.ask("GET", DEVICES).status_code == 401, "a revoked token ends at once"
    replica.connection.close()
    at.stop("replica")
    wait_for("lists come from the primary", lambda: reads_on(reader), 20)


def asked(client: Client, path: str, is_read: Callable[[], bool]) -> Callable[[], bool]:
    """Return a condition that asks for the path and returns whether the replica was read."""

    def happened() -> bool:
        assert client.ask("GET", path).status_code == 200
        return is_read()

    return happened


def reads_on(client: Client) -> bool:
    answers = {client.ask("GET", path).status_code for path in (DEVICES, PLACES)}
    assert answers <= {200, 503}
    return answers == {200}


def drill(at: Stage) -> None:
    from controller.accounts.models import ApiToken, Organization, User
    from controller.accounts.rules import issue_token

    port = free_port()
    at.start_web(workers=1)
    at.start_web(workers=1, name="second web", port=port)
    at.start_worker(concurrency=1)
    at.start_worker(concurrency=1, name="second worker")
    at.start_beat()
    users = [
        User.objects.create_superuser(name, f"{name}@example.org", "a good password")
        for name in ("writer", "reader")
    ]
    owner = Organization.objects.create(name="Acme", slug="acme")
    urls = [at.url, f"http://127.0.0.1:{port}"]
    tokens = [issue_token(user, name="drill") for user in users]
    clients = [Client(urls, tokens[0]), Client(urls[::-1], tokens[1])]
    lose_machines(at, clients, port, users[0], owner)
    lose_replica(at, clients, owner, lambda: ApiToken.objects.filter(user=users[0]).delete())


def main() -> None:
    os.environ |= {"MUSTER_RECONCILE_SECONDS": "2"}
    with stage() as at:
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)
        call_command("collectstatic", verbosity=0, interactive=False)
        os.environ |= {
            "MUSTER_REPLICA_URL": at.start_replica(),
            "DATABASE_URL": at.start_pooler(),
            "MUSTER_DATABASE_POOLING": "transaction",
        }
        drill(at)
    sys.stdout.write("all of it went as it should\n")


if __name__ == "__main__":
    main()
