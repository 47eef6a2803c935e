"""What workers do for monitoring; each finds its work on rows, and may run twice."""

from celery import shared_task
from django.conf import settings

from controller.base.measurements import register_taker
from controller.monitoring.rules import (
    active,
    checks,
    gateways,
    history,
    told,
    totals,
    uplinks,
    wifi,
)
from controller.monitoring.rules.health import judge_all

# What supervisors tell in this worker.
register_taker(told.take)


@shared_task
def judge() -> int:
    return judge_all()


@shared_task
def ping() -> int:
    return checks.ping_due()


@shared_task
def pull() -> int:
    return checks.pull_due()


@shared_task
def run_checks() -> int:
    return active.run_due()


@shared_task
def test_bandwidth() -> int:
    return active.test_bandwidth_due()


@shared_task
def pull_gateways() -> int:
    return gateways.pull_due()


@shared_task
def add_up() -> int:
    return totals.record_totals()


@shared_task
def find_uplinks() -> int:
    return uplinks.find_uplinks()


@shared_task
def close_sessions() -> int:
    return wifi.close_silent()


@shared_task
def seal() -> int:
    return history.seal()


@shared_task
def forget() -> int:
    return (
        history.forget()
        + history.forget_events(settings.MUSTER_HISTORY_DAYS)
        + wifi.forget(settings.MUSTER_WIFI_SESSION_DAYS)
    )
