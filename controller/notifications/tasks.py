from celery import shared_task

from controller.notifications.rules import email, recipients, webhooks


@shared_task
def spread() -> int:
    return recipients.dispatch_notices()


@shared_task
def mail() -> int:
    return email.mail()


@shared_task
def deliver() -> int:
    return webhooks.deliver()


@shared_task
def forget() -> int:
    return recipients.prune()
