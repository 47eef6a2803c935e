from celery import shared_task

from controller.notifications.rules import dispatch, email, webhooks


@shared_task
def spread() -> int:
    return dispatch.dispatch_notices()


@shared_task
def mail() -> int:
    return email.mail()


@shared_task
def deliver() -> int:
    return webhooks.deliver()


@shared_task
def forget() -> int:
    return dispatch.prune()
