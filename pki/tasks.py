from datetime import timedelta

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from pki import rules
from pki.models import AcmeAuthorization, AcmeOrder
from pki.rules import acme

# A validation pending for longer has lost its message.
LOST_AFTER = timedelta(seconds=30)


@shared_task
def publish_lists() -> int:
    """Sign CRLs again, long before they expire."""
    return rules.publish_due()


@shared_task
def renew_expiring() -> int:
    """Renew due CAs and certificates with automatic renewal."""
    return len(rules.renew_due())


@shared_task
def tell_expiring() -> int:
    """Record notices of expiring CAs and certificates."""
    return rules.tell_expiring()


@shared_task
def validate(authorization_id: str) -> None:
    """Validate one ACME authorization."""
    found = AcmeAuthorization.objects.select_related("order__account").filter(
        pk=authorization_id, status=AcmeAuthorization.Status.PROCESSING
    )
    for authorization in found:
        acme.validate(authorization, port=settings.PKI_HTTP01_PORT)


@shared_task
def validate_lost() -> int:
    """Validate authorizations with a lost message, and delete unfinished orders."""
    lost = AcmeAuthorization.objects.filter(
        status=AcmeAuthorization.Status.PROCESSING, modified__lt=timezone.now() - LOST_AFTER
    ).values_list("pk", flat=True)
    for authorization_id in lost:
        validate(str(authorization_id))
    AcmeOrder.objects.filter(expires__lt=timezone.now(), certificate="").delete()
    return len(lost)
