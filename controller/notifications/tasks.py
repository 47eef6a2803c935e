from celery import shared_task

from controller.notifications.rules import mailing, spreading, webhooks


@shared_task
def spread() -> int:
    return spreading.dispatch_notices()


@shared_task
def mail() -> int:
    return mailing.mail()


@shared_task
def deliver() -> int:
    return webhooks.deliver()


@shared_task
def forget() -> int:
    return spreading.prune()
