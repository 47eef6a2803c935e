"""Gateways of vendors, and the changes that wait for them."""

from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q

from controller.accounts.models import OrganizationOwned, Owned, Site, User
from controller.base.models import Base
from controller.base.secrets import EncryptedJSONField, EncryptedTextField
from networks.engine.features import FEATURES, VENDORS, Feature


def vendors() -> list[tuple[str, str]]:
    """A function, for a further vendor to need no migration."""
    return [(one, one) for one in VENDORS]


class Gateway(OrganizationOwned, Base):
    """A firewall or router of a vendor, with an API of its own."""

    not_audited: ClassVar[frozenset[str]] = frozenset({"version", "last_seen", "trouble"})

    site = models.ForeignKey(
        Site, models.PROTECT, null=True, blank=True, related_name="gateways"
    )
    name = models.CharField(max_length=100)
    vendor = models.CharField(max_length=16, choices=vendors, default=VENDORS[0])
    url = models.CharField(
        "address", max_length=255, validators=[URLValidator(["https", "http"])],
        help_text="Of its API, as in https://192.0.2.1 or https://firewall.example.org:8443.",
    )  # fmt: skip
    key = EncryptedTextField("API key or user", max_length=255)
    secret = EncryptedTextField("API secret or password", max_length=255)
    ca_certificate = models.TextField(
        "certificate to trust", blank=True, max_length=20_000,
        help_text="PEM; needed where the gateway made its certificate itself.",
    )  # fmt: skip
    version = models.CharField(max_length=64, blank=True, editable=False)
    last_seen = models.DateTimeField(null=True, editable=False)
    trouble = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="gateway_name"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        if self.site and self.site.organization_id != self.organization_id:
            raise ValidationError({"site": "The site belongs to another organization."})
        if "@" in self.url:
            raise ValidationError({"url": "Key and secret have fields of their own."})


class Change(Owned, Base):
    """A change of a gateway, from its staging to what became of it."""

    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False  # told by the rules, without its secrets

    class State(models.TextChoices):
        PENDING = "pending", "Pending"
        APPLYING = "applying", "Applying"
        APPLIED = "applied", "Applied"
        FAILED = "failed", "Failed"
        UNKNOWN = "unknown", "Unknown"
        DISCARDED = "discarded", "Discarded"
        ROLLED_BACK = "rolled_back", "Rolled back"

    # What a gateway may have of at most one: the truth of it is not known yet.
    OPEN = (State.APPLYING, State.UNKNOWN)

    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="changes")
    feature = models.CharField(max_length=128, db_index=True)
    operation = models.CharField(max_length=16)
    target_id = models.CharField(max_length=128, blank=True)
    payload = models.JSONField(default=dict)
    secrets = EncryptedJSONField(null=True)
    notes = models.TextField(blank=True, max_length=2000)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    version = models.PositiveIntegerField(default=0)
    # What the gateway held when this was staged, and after it was written.
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # Written before anything is sent: what the gateway held then, and what is to be.
    intent = models.JSONField(null=True)
    outcome = models.TextField(blank=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    inverse_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="inverses")
    started = models.DateTimeField(null=True)
    applied = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created", "id"]
        indexes = [models.Index(fields=["gateway", "state"], name="change_by_gateway")]
        constraints = [
            models.CheckConstraint(
                name="change_state",
                condition=Q(
                    state__in=[
                        "pending", "applying", "applied", "failed", "unknown", "discarded",
                        "rolled_back",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="change_operation", condition=Q(operation__in=["create", "update", "delete"])
            ),
            models.CheckConstraint(
                name="change_intent", condition=~Q(state="unknown") | Q(intent__isnull=False)
            ),
            models.UniqueConstraint(
                name="one_open_change", fields=["gateway"],
                condition=Q(state__in=["applying", "unknown"]),
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.operation} {self.feature}"

    @property
    def what(self) -> Feature:
        return FEATURES[self.feature]

    @property
    def full_payload(self) -> dict[str, Any]:
        return {**self.payload, **(self.secrets or {})}

    @property
    def wanted(self) -> dict[str, str]:
        """What the gateway is to hold, as far as it can be read back."""
        return self.what.values(self.payload)


class ChangeEvent(Owned, models.Model):
    """A step of a change; written with it, and never changed."""

    organization_path: ClassVar[str] = "change__gateway__organization"
    is_audited: ClassVar[bool] = False

    change = models.ForeignKey(Change, models.CASCADE, related_name="events")
    at = models.DateTimeField(auto_now_add=True)
    state = models.CharField(max_length=16, choices=Change.State.choices)
    actor = models.CharField(max_length=150, blank=True)
    text = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.change}: {self.state}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("What happened is not changed afterwards.")
        super().save(*args, **kwargs)
