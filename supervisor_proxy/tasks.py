from celery import shared_task

from supervisor_proxy.rules import backups, batch_calls, campaigns, home_assistant


@shared_task
def run_calls() -> int:
    return batch_calls.run_due()


@shared_task
def verify_unknown() -> int:
    return batch_calls.verify_unknown()


@shared_task
def forget() -> int:
    return batch_calls.prune() + backups.sweep()


@shared_task
def run_campaigns() -> int:
    return campaigns.run_due()


@shared_task
def look_at_homes() -> int:
    return home_assistant.look_at_all()


@shared_task
def run_backups() -> int:
    return backups.run_due()
