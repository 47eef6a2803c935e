from celery import shared_task

from pki import rules


@shared_task
def publish_lists() -> int:
    """Signs revocation lists anew, long before they lapse."""
    return rules.publish_due()


@shared_task
def renew_expiring() -> int:
    """Renews what is marked for it and ends soon."""
    return len(rules.renew_due())
