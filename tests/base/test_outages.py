"""What clients are told while the database is away or busy, or the disk is full."""

import errno
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, connection, connections
from django.test import Client

from controller.accounts.models import User
from controller.base.database import BUSY, FULL, outage
from controller.base.encryption_check import check_keys
from controller.dialects.request_metrics import RequestTimes, collect
from tests import factories

PATHS = [
    "/api/v1/controller/device/", "/api/networks", "/api/v1/devices", "/supervisor/v1/device",
    "/api/v1/ipam/subnet/", "/admin/", "/controller/checksum/00000000000000000000000000000000/",
]  # fmt: skip


def away(*_: Any) -> Any:
    """Answer as psycopg does when the server is gone: without an SQLSTATE."""
    raise OperationalError("server closed the connection unexpectedly")


@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_while_the_database_is_away_every_dialect_answers_503(path: str, admin: User) -> None:
    client = Client(raise_request_exception=False, headers=factories.bearer(admin))
    client.force_login(admin)
    with connection.execute_wrapper(away):
        answer = client.get(path, {"key": "x"})
    assert answer.status_code == 503, answer.content
    assert int(answer["Retry-After"]) > 0
    assert "database" in answer.content.decode().lower()


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL locks rows")
def test_a_locked_database_is_busy_and_no_error_of_the_portal(admin: User) -> None:
    client = Client(raise_request_exception=False, headers=factories.bearer(admin))
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        answer = client.post(
            "/api/v1/controller/group/", {"name": "x"}, content_type="application/json"
        )
    finally:
        other.close()
        connection.close()
    assert answer.status_code == 503, answer.content
    assert answer.json()["detail"] == BUSY


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="SQLite alone has a busy timeout")
def test_sqlite_waits_as_long_as_the_settings_say() -> None:
    connection.close()
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone() == (connection.settings_dict["OPTIONS"]["timeout"] * 1000,)


def test_only_outages_are_told_as_such() -> None:
    assert outage(OSError(errno.ENOSPC, "No space left on device")) == FULL
    assert outage(OSError(errno.ENOENT, "No such file")) is None
    assert outage(ValueError("x")) is None
    assert outage(None) is None
    broken = OperationalError("no such table")
    broken.__cause__ = sqlite3.OperationalError("no such table")
    broken.__cause__.sqlite_errorname = "SQLITE_ERROR"
    assert outage(broken) is None
    broken.__cause__.sqlite_errorname = "SQLITE_FULL"
    assert outage(broken) == FULL


@pytest.mark.django_db(transaction=True)
def test_wrong_keys_are_told_at_start(settings: Any) -> None:
    check_keys()
    factories.credentials(factories.organization())
    check_keys()
    right = list(settings.MUSTER_ENCRYPTION_KEYS)
    settings.MUSTER_ENCRYPTION_KEYS = ["another key"]
    with pytest.raises(ImproperlyConfigured, match="MUSTER_ENCRYPTION_KEYS"):
        check_keys()
    settings.MUSTER_ENCRYPTION_KEYS = ["another key", *right]
    check_keys()


def test_request_times_of_all_processes_are_summed_up() -> None:
    for seconds in (0.001, 0.2):
        process = RequestTimes()
        process.observe(("summed up", "GET", "2xx"), seconds)
        process.flush()
    (family,) = collect()
    values = {
        (sample.name, sample.labels.get("le")): sample.value
        for sample in family.samples
        if sample.labels["dialect"] == "summed up"
    }
    assert values[("muster_request_seconds_bucket", "0.005")] == 1
    assert values[("muster_request_seconds_bucket", "+Inf")] == 2
    assert values[("muster_request_seconds_count", None)] == 2
    assert values[("muster_request_seconds_sum", None)] == pytest.approx(0.201)


WRITERS = 30
ROUNDS = 3
WRITES = (
    # Path, body, and where the dialect says what is wrong.
    ("/api/v1/controller/group/", lambda one, pk: {"name": one, "organization": pk, "templates": []},
     "detail"),
    ("/api/networks", lambda one, _: {"name": one}, "status"),
    ("/api/v1/sites/", lambda one, pk: {"organization_id": pk, "name": one, "slug": one}, "error"),
)  # fmt: skip


def written_by_all(
    headers: dict[str, str], pk: str
) -> tuple[list[tuple[int, Any]], list[float]]:
    """Have all writers write at the same time. Returns the answers, and the seconds of each."""
    together = Barrier(WRITERS)

    def write(number: int) -> list[tuple[int, Any, float]]:
        client = Client(raise_request_exception=False, headers=headers)
        path, body, _ = WRITES[number % len(WRITES)]
        together.wait()
        found = []
        try:
            for at in range(ROUNDS):
                began = time.monotonic()
                answer = client.post(
                    path, body(f"x-{number}-{at}", pk), content_type="application/json"
                )
                found.append((answer.status_code, answer.json(), time.monotonic() - began))
        finally:
            connections.close_all()
        return found

    with ThreadPoolExecutor(WRITERS) as pool:
        results = [one for some in pool.map(write, range(WRITERS)) for one in some]
    return [(status, said) for status, said, _ in results], sorted(one[2] for one in results)


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL takes many writers")
def test_thirty_writers_wait_for_each_other(
    admin: User, settings: Any, record_property: Any
) -> None:
    settings.MUSTER_REQUESTS_PER_MINUTE = settings.MUSTER_REQUESTS_PER_SECOND = 0
    pk, headers = str(factories.organization().pk), factories.bearer(admin)
    answers, seconds = written_by_all(headers, pk)
    assert [one for one in answers if one[0] != 201] == []
    record_property("median_seconds", seconds[len(seconds) // 2])
    record_property("longest_seconds", seconds[-1])


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL takes many writers")
def test_writers_that_waited_in_vain_are_told_in_the_words_of_their_dialect(
    admin: User, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MUSTER_REQUESTS_PER_MINUTE = settings.MUSTER_REQUESTS_PER_SECOND = 0
    pk, headers = str(factories.organization().pk), factories.bearer(admin)
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "timeout", 0.2)
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        answers, _ = written_by_all(headers, pk)
    finally:
        other.close()
    assert {status for status, _ in answers} == {503}
    for _, said in answers:
        assert any(name in said for _, _, name in WRITES)
        assert BUSY in str(said)
