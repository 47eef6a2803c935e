"""Health and metrics tell the truth about each queue, beat, Redis and the leases."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.utils import timezone

from controller.base import health, leases
from controller.base.leases import LeaseHolder
from controller.base.redis import quick_client
from tests.base.lease_queues import new_row

pytestmark = pytest.mark.django_db
NAMES = [queue.name for queue in django_settings.CELERY_TASK_QUEUES]


def all_there() -> None:
    health.record_workers(NAMES)
    health.record_beat()


def ready(client: Any) -> Any:
    return client.get("/health/ready")


def test_with_all_parts_there_it_is_ready(client: Any) -> None:
    all_there()
    answer = ready(client)
    assert answer.status_code == 200, answer.content
    assert set(answer.json()["queues"]) == set(NAMES)
    assert set(answer.json()["components"].values()) == {"healthy"}


@pytest.mark.parametrize("name", NAMES)
def test_one_queue_without_a_worker_is_not_ready(client: Any, name: str) -> None:
    all_there()
    quick_client().hset(health.WORKERS, name, str(time.time() - 60))
    answer = ready(client)
    assert answer.status_code == 503
    assert answer.json()["queues"][name] == "unhealthy"
    assert list(answer.json()["queues"].values()).count("unhealthy") == 1
    assert answer.json()["components"]["celery"] == "unhealthy"


def test_beat_that_is_silent_is_told_apart_from_workers(client: Any) -> None:
    health.record_workers(NAMES)
    answer = ready(client)
    assert answer.status_code == 503
    assert answer.json()["components"]["celery"] == "healthy"
    assert answer.json()["components"]["beat"] == "unhealthy"


def test_a_heartbeat_of_the_future_is_none(client: Any) -> None:
    all_there()
    quick_client().set(health.BEAT, int(time.time() + 86_400))
    assert ready(client).json()["components"]["beat"] == "unhealthy"


def test_redis_that_takes_no_writes_is_unhealthy(client: Any) -> None:
    all_there()
    quick_client().config_set("min-replicas-to-write", 1)
    try:
        answer = ready(client)
    finally:
        quick_client().config_set("min-replicas-to-write", 0)
    assert answer.status_code == 503
    assert answer.json()["components"]["redis"] == "unhealthy"
    assert answer.json()["components"]["database"] == "healthy"


def metric(text: str, name: str) -> float:
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


def test_metrics_tell_the_oldest_waiting_row_and_expired_leases(admin_client: Any) -> None:
    all_there()
    for name in leases.QUEUES:
        row = new_row(name)
        leases.QUEUES[name].rows.filter(pk=row.pk).update(
            not_before=timezone.now() - timedelta(minutes=5)
        )
    text = admin_client.get("/metrics").content.decode()
    for name in leases.QUEUES:
        age = metric(text, f'muster_oldest_waiting_seconds{{queue="{name}"}}')
        assert 299 < age < 1000, name
    queue = leases.QUEUES["pushes"]
    LeaseHolder(queue).lease(1)
    queue.rows.update(leased_until=timezone.now() - timedelta(seconds=1))
    text = admin_client.get("/metrics").content.decode()
    assert metric(text, 'muster_expired_leases{queue="pushes"}') == 1
    queue.put_back()
    text = admin_client.get("/metrics").content.decode()
    assert metric(text, 'muster_expired_leases{queue="pushes"}') == 0
    assert metric(text, 'muster_leases_expired_total{queue="pushes"}') == 1
    assert metric(text, "muster_beat_age_seconds") < 30
