"""Prometheus metrics, and the protected endpoint that exports them."""

import hmac
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from controller.accounts.models import User
from controller.base.counters import counted as counted_events
from controller.base.health import beat_age, heartbeats, queue_lengths
from controller.base.leases import EXPIRED, FAILURES, QUEUES
from controller.configs.models import Push
from controller.devices.models import Presence
from controller.dialects import request_metrics

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Rows:
    """Collector of metrics that are counted in the database on each scrape."""

    def collect(self) -> Iterator[Metric]:
        yield gauge("muster_devices", "Devices by presence.", "state", counted(Presence))
        opened = Push.objects.filter(state__in=Push.OPEN)
        yield gauge("muster_open_pushes", "Pushes by state.", "state", counted(Push, opened))
        yield gauge("muster_queue_length", "Messages waiting.", "queue", queue_lengths())
        yield from request_metrics.collect()
        yield from lease_metrics()
        yield from heartbeat_metrics()


def lease_metrics() -> Iterator[Metric]:
    """Yield what the lease queues hold: waiting rows, expired leases, failures."""
    oldest = {name: queue.oldest() for name, queue in QUEUES.items()}
    late = {name: queue.expired().count() for name, queue in QUEUES.items()}
    yield gauge(
        "muster_oldest_waiting_seconds", "Age of the oldest row that is due.", "queue", oldest
    )
    yield gauge("muster_expired_leases", "Leases that ran out.", "queue", late)
    yield counter(EXPIRED, "Leases that ran out since the start of Redis.", "queue")
    yield counter(FAILURES, "Rows at which a periodic task failed.", "task")


def heartbeat_metrics() -> Iterator[Metric]:
    """Yield the age of the workers' and beat's last sign of life; nothing without Redis."""
    try:
        ages, beat = heartbeats(), beat_age()
    except (RedisError, OSError):
        return
    about = "Seconds since a worker of the queue was last heard of."
    yield gauge("muster_worker_age_seconds", about, "queue", ages)
    family = GaugeMetricFamily("muster_beat_age_seconds", "Seconds since beat's last task.")
    family.add_metric([], beat)
    yield family


def counter(name: str, about: str, label: str) -> Metric:
    family = CounterMetricFamily(name, about, labels=[label])
    for key, number in counted_events(name).items():
        family.add_metric([key], number)
    return family


def counted(model: Any, rows: Any = None) -> dict[str, int]:
    rows = model.objects.all() if rows is None else rows
    return dict(rows.order_by().values_list("state").annotate(Count("pk")))


def gauge(name: str, about: str, label: str, values: Mapping[str, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, about, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Export metrics to holders of the configured token and to signed-in superusers."""
    if not may_scrape(request):
        response = HttpResponse("A token is needed.\n", status=401, content_type="text/plain")
        response["WWW-Authenticate"] = "Bearer"
        return response
    registry = CollectorRegistry()
    registry.register(Rows())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE)


def may_scrape(request: HttpRequest) -> bool:
    wanted = f"Bearer {settings.MUSTER_METRICS_TOKEN}"
    given = request.headers.get("authorization", "")
    if settings.MUSTER_METRICS_TOKEN and hmac.compare_digest(given.encode(), wanted.encode()):
        return True
    user = request.user
    return isinstance(user, User) and user.is_superuser and user.may_sign_in
