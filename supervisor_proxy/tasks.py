from celery import shared_task

from supervisor_proxy.rules import (
    backup_queue,
    backups,
    call_queue,
    call_verification,
    campaigns,
    home_assistant_polling,
)


@shared_task
def run_calls() -> int:
    return call_queue.run_due()


@shared_task
def verify_unknown() -> int:
    return call_verification.verify_unknown()


@shared_task
def forget() -> int:
    return call_queue.prune() + backups.sweep()


@shared_task
def run_campaigns() -> int:
    return campaigns.run_due()


@shared_task
def look_at_homes() -> int:
    return home_assistant_polling.look_at_all()


@shared_task
def run_backups() -> int:
    return backup_queue.run_due()
