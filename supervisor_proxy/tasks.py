from celery import shared_task

from supervisor_proxy.rules import campaigns, many


@shared_task
def run_calls() -> int:
    return many.run_due()


@shared_task
def verify_unknown() -> int:
    return many.verify_unknown()


@shared_task
def forget() -> int:
    return many.forget()


@shared_task
def run_campaigns() -> int:
    return campaigns.run_due()
