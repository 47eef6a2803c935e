from celery import shared_task

from supervisor_proxy.rules import backups, campaigns, homes, many


@shared_task
def run_calls() -> int:
    return many.run_due()


@shared_task
def verify_unknown() -> int:
    return many.verify_unknown()


@shared_task
def forget() -> int:
    return many.prune() + backups.sweep()


@shared_task
def run_campaigns() -> int:
    return campaigns.run_due()


@shared_task
def look_at_homes() -> int:
    return homes.look_at_all()


@shared_task
def run_backups() -> int:
    return backups.run_due()
