"""What workers do for monitoring; each finds its work on rows, and may run twice."""

from celery import shared_task
from django.conf import settings

from controller.base.measurements import register_taker
from controller.monitoring.rules import (
    active_checks,
    app_reports,
    device_polling,
    gateway_measurements,
    organization_totals,
    sample_history,
    uplinks,
    wifi_sessions,
)
from controller.monitoring.rules.health import judge_all

# What supervisors tell in this worker.
register_taker(app_reports.take)


@shared_task
def judge() -> int:
    return judge_all()


@shared_task
def ping() -> int:
    return device_polling.ping_due()


@shared_task
def pull() -> int:
    return device_polling.pull_due()


@shared_task
def run_checks() -> int:
    return active_checks.run_due()


@shared_task
def test_bandwidth() -> int:
    return active_checks.test_bandwidth_due()


@shared_task
def pull_gateways() -> int:
    return gateway_measurements.pull_due()


@shared_task
def add_up() -> int:
    return organization_totals.record_totals()


@shared_task
def find_uplinks() -> int:
    return uplinks.find_uplinks()


@shared_task
def close_sessions() -> int:
    return wifi_sessions.close_silent()


@shared_task
def seal() -> int:
    return sample_history.seal()


@shared_task
def forget() -> int:
    return (
        sample_history.forget()
        + sample_history.forget_events(settings.MUSTER_HISTORY_DAYS)
        + wifi_sessions.forget(settings.MUSTER_WIFI_SESSION_DAYS)
    )
