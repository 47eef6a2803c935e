"""Workers that lease upgrades at the same moment, on a database with real concurrency."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connection, connections, transaction

from controller.accounts.models import Organization, Site
from controller.base.leases import LeaseHolder
from controller.firmware.models import UPGRADES, Upgrade
from controller.firmware.rules import upgrade_queue
from controller.firmware.rules.upgrades import start_upgrade
from tests.firmware import fleet

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]
SECONDS = 30.0
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@contextmanager
def closed_connections() -> Iterator[None]:
    try:
        yield
    finally:
        connections.close_all()


def lease() -> int:
    with closed_connections():
        return len(upgrade_queue.lease_due(LeaseHolder(UPGRADES)))


def hold(leased: threading.Event, released: threading.Event) -> int:
    """Lease what is due, and leave the transaction open until it is released."""
    with closed_connections(), transaction.atomic():
        count = len(upgrade_queue.lease_due(LeaseHolder(UPGRADES)))
        leased.set()
        assert released.wait(SECONDS)
        return count


def wait_for_a_waiting_lock() -> None:
    pause = threading.Event()
    for _ in range(int(SECONDS / 0.02)):
        with connection.cursor() as cursor:
            cursor.execute(WAITING)
            if cursor.fetchone()[0]:
                return
        pause.wait(0.02)
    raise AssertionError("The second worker did not wait.")


def test_two_workers_at_once_do_not_take_neighbors_of_one_site(
    organization: Organization,
) -> None:
    site = Site.objects.create(organization=organization, name="office")
    image = fleet.add_image(fleet.build(organization))
    for _ in range(2):
        start_upgrade(fleet.device(organization, site=site), image)
    leased, released = threading.Event(), threading.Event()
    with ThreadPoolExecutor(2) as workers:
        first = workers.submit(hold, leased, released)
        assert leased.wait(SECONDS)
        second = workers.submit(lease)
        try:
            wait_for_a_waiting_lock()
        finally:
            released.set()
        counts = first.result(SECONDS), second.result(SECONDS)
    assert counts == (1, 0)
    assert Upgrade.objects.filter(lease_holder__isnull=False).count() == 1
