"""ACME accounts, orders and authorizations (RFC 8555)."""

from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import Organization, OrganizationScoped
from controller.base.models import Base
from pki.models.certificates import Ca, Cert

ORDER_LIFE = timedelta(days=7)


def order_expiry() -> datetime:
    return timezone.now() + ORDER_LIFE


class AcmeAccount(OrganizationScoped, Base):
    """An ACME account, identified by its key."""

    organization_path = "ca__organization"

    class Status(models.TextChoices):
        VALID = "valid", _("Valid")
        DEACTIVATED = "deactivated", _("Deactivated")

    ca = models.ForeignKey(Ca, models.CASCADE, related_name="acme_accounts")
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+",
        help_text=_("Purpose of the certificates."),
    )  # fmt: skip
    jwk = models.JSONField()
    thumbprint = models.CharField(max_length=64)
    contact = models.JSONField(default=list)
    status = models.CharField(max_length=16, choices=Status, default=Status.VALID)
    # The device app is a layer above, so only the id is stored.
    device_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ca", "thumbprint"], name="acme_account_key")
        ]

    def __str__(self) -> str:
        return self.thumbprint


class AcmeOrder(OrganizationScoped, Base):
    organization_path = "account__ca__organization"

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        READY = "ready", _("Ready")
        VALID = "valid", _("Valid")
        INVALID = "invalid", _("Invalid")

    account = models.ForeignKey(AcmeAccount, models.CASCADE, related_name="orders")
    identifiers = models.JSONField(help_text=_("DNS names, sorted."))
    expires = models.DateTimeField(default=order_expiry)
    cert = models.ForeignKey(
        Cert, models.SET_NULL, null=True, blank=True, related_name="acme_orders"
    )
    # The issued certificate, independent of later changes of the row.
    certificate = models.TextField(blank=True)

    def __str__(self) -> str:
        return ", ".join(self.identifiers)

    @property
    def status(self) -> str:
        if self.certificate:
            return self.Status.VALID
        states = {authorization.status for authorization in self.authorizations.all()}
        if self.expires <= timezone.now() or "invalid" in states:
            return self.Status.INVALID
        return self.Status.READY if states == {"valid"} else self.Status.PENDING


class AcmeAuthorization(OrganizationScoped, Base):
    """Authorization of a name: validated over HTTP, or implied by the device's key."""

    organization_path = "order__account__ca__organization"

    class Status(models.TextChoices):
        PENDING = "pending", _("Pending")
        PROCESSING = "processing", _("Processing")
        VALID = "valid", _("Valid")
        INVALID = "invalid", _("Invalid")

    order = models.ForeignKey(AcmeOrder, models.CASCADE, related_name="authorizations")
    identifier = models.CharField(max_length=253)
    status = models.CharField(
        max_length=16, choices=Status, default=Status.PENDING, db_index=True
    )
    token = models.CharField(max_length=64)
    validated = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["order", "identifier"], name="acme_one_each")
        ]

    def __str__(self) -> str:
        return self.identifier
