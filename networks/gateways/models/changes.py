"""Staged changes of gateways, change sets, approvals and the changes' history."""

from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import OrganizationOwned, OrganizationScoped, Site, User
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField
from networks.gateways.engine.features import FEATURES, Feature
from networks.gateways.models.gateways import Gateway


class ChangeSet(OrganizationOwned, Base):
    """Changes that are applied in order, possibly on several gateways."""

    is_audited: ClassVar[bool] = False  # audited by the rules

    class State(models.TextChoices):
        DRAFT = "draft", _("Not begun")
        RUNNING = "running", _("Under way")
        ROLLING_BACK = "rolling_back", _("Going back")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Stopped")
        ROLLED_BACK = "rolled_back", _("Rolled back")
        DISCARDED = "discarded", _("Discarded")

    class OnFailure(models.TextChoices):
        STOP = "stop", _("Stop there")
        ROLL_BACK = "roll_back", _("Take back what was applied")

    ACTIVE = (State.RUNNING, State.ROLLING_BACK)

    # The common site of all its gateways, or None.
    site = models.ForeignKey(Site, models.PROTECT, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=100)
    notes = models.TextField(blank=True, max_length=2000)
    on_failure = models.CharField(
        max_length=16, choices=OnFailure.choices, default=OnFailure.STOP
    )
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAFT)
    version = models.PositiveIntegerField(default=0)
    outcome = models.TextField(blank=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    applier = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    accepts_drift = models.BooleanField(default=False)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created", "id"]
        constraints = [
            models.CheckConstraint(
                name="change_set_state",
                condition=Q(
                    state__in=[
                        "draft", "running", "rolling_back", "applied", "failed", "rolled_back",
                        "discarded",
                    ]
                ),
            )
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.name


class Change(OrganizationScoped, Leased, Base):
    """A change of a gateway, from staging to its outcome."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"secrets"}))

    organization_path: ClassVar[str] = "gateway__organization"
    is_audited: ClassVar[bool] = False  # audited by the rules, without secrets

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        PENDING = "pending", _("Pending")
        APPROVED = "approved", _("Approved")
        SCHEDULED = "scheduled", _("Scheduled")
        APPLYING = "applying", _("Applying")
        VERIFYING = "verifying", _("Verifying")
        APPLIED = "applied", _("Applied")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Unknown")
        DISCARDED = "discarded", _("Discarded")
        EXPIRED = "expired", _("Expired")
        ROLLED_BACK = "rolled_back", _("Rolled back")

    # Nothing was sent yet; the change can be applied or discarded.
    WAITING = (State.DRAFT, State.PENDING, State.APPROVED, State.SCHEDULED)
    # At most one per gateway: being applied, or outcome unknown.
    OPEN = (State.APPLYING, State.VERIFYING, State.UNKNOWN)
    # Leased by a worker, or scheduled for one.
    MOVING = (State.SCHEDULED, State.APPLYING, State.VERIFYING)

    gateway = models.ForeignKey(Gateway, models.PROTECT, related_name="changes")
    feature = models.CharField(max_length=128, db_index=True)
    operation = models.CharField(max_length=16)
    target_id = models.CharField(max_length=128, blank=True)
    payload = models.JSONField(default=dict)
    secrets = EncryptedJSONField(null=True)
    # Digest of the complete change; approvals are bound to it.
    digest = models.CharField(max_length=64, blank=True)
    # Conflict key: pending changes with the same key overwrite each other.
    subject = models.CharField(max_length=64, blank=True, db_index=True)
    notes = models.TextField(blank=True, max_length=2000)
    state = models.CharField(max_length=16, choices=State.choices, default=State.PENDING)
    version = models.PositiveIntegerField(default=0)
    # The gateway's values at staging, and after the write.
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    # Written before anything is sent: the gateway's values at that time and the intended ones.
    intent = models.JSONField(null=True)
    outcome = models.TextField(blank=True)
    # Kind of error of the outcome, raised again to the caller of apply.
    trouble = models.CharField(max_length=16, blank=True)
    author = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    # The ids of users who amended the change.
    writers = models.JSONField(default=list)
    applier = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    accepts_drift = models.BooleanField(default=False)
    # Number of times it was scheduled.
    attempt = models.PositiveIntegerField(default=0)
    inverse_of = models.ForeignKey("self", models.SET_NULL, null=True, related_name="inverses")
    change_set = models.ForeignKey(
        ChangeSet, models.SET_NULL, null=True, related_name="changes"
    )
    # Position in its set; None for inverses of the set's parts.
    position = models.PositiveIntegerField(null=True)
    expires = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)  # type: ignore[assignment]
    started = models.DateTimeField(null=True)
    # Set once, before the write is sent: what may have been sent is never sent again.
    sent = models.DateTimeField(null=True)
    # Until then a lost write is still looked for: it may arrive late.
    watched_until = models.DateTimeField(null=True)
    applied = models.DateTimeField(null=True)
    stage_key = models.CharField(max_length=64, null=True)  # noqa: DJ001 - unique where given
    apply_key = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("gateway change")
        ordering = ["-created", "id"]
        indexes = [
            models.Index(fields=["gateway", "state"], name="change_by_gateway"),
            lease_index("change_leased_until"),
            models.Index(
                fields=["state", "not_before"],
                name="change_to_do",
                condition=Q(
                    state__in=[
                        "draft",
                        "pending",
                        "approved",
                        "scheduled",
                        "applying",
                        "verifying",
                        "unknown",
                    ]
                ),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                name="change_state",
                condition=Q(
                    state__in=[
                        "draft", "pending", "approved", "scheduled", "applying", "verifying",
                        "applied", "failed", "unknown", "discarded", "expired", "rolled_back",
                    ]
                ),
            ),
            models.CheckConstraint(
                name="change_operation", condition=Q(operation__in=["create", "update", "delete"])
            ),
            models.CheckConstraint(
                name="change_intent",
                condition=~Q(state__in=["unknown", "verifying"])
                | Q(intent__isnull=False, sent__isnull=False),
            ),
            models.CheckConstraint(
                name="change_sent_once",
                condition=~Q(state__in=["draft", "pending", "approved", "scheduled"])
                | Q(sent__isnull=True),
            ),
            models.CheckConstraint(
                name="change_leased",
                condition=~Q(state__in=["applying", "verifying"])
                | Q(leased_until__isnull=False),
            ),
            models.UniqueConstraint(
                name="one_open_change", fields=["gateway"],
                condition=Q(state__in=["applying", "verifying", "unknown"]),
            ),
            models.UniqueConstraint(
                name="one_place_in_a_set", fields=["change_set", "position"],
                condition=Q(position__isnull=False),
            ),
            models.UniqueConstraint(
                name="one_way_back_in_a_set", fields=["inverse_of"],
                condition=Q(change_set__isnull=False),
            ),
            models.UniqueConstraint(name="staged_once", fields=["author", "stage_key"]),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.what.phrase(self.operation) if self.feature in FEATURES else self.feature

    def is_written_by(self, user: User) -> bool:
        """Return whether this user staged the change, or amended what it does."""
        return user.pk == self.author_id or str(user.pk) in self.writers

    @property
    def what(self) -> Feature:
        return FEATURES[self.feature]

    @property
    def full_payload(self) -> dict[str, Any]:
        return {**self.payload, **(self.secrets or {})}

    @property
    def wanted(self) -> dict[str, str]:
        """Return the desired values, as far as they can be read back."""
        return self.what.values(self.payload)

    @property
    def is_rollback(self) -> bool:
        """Return whether this change rolls back a part of its set."""
        return self.change_set_id is not None and self.position is None


CHANGES = LeaseQueue(
    "gateway_changes", Change, waits=Q(state__in=Change.MOVING),
    leased={"state": Change.State.APPLYING}, waiting={"state": Change.State.SCHEDULED},
)  # fmt: skip


class ChangeApproval(OrganizationScoped, models.Model):
    """Approval of one digest of a change. Immutable."""

    organization_path: ClassVar[str] = "change__gateway__organization"
    is_audited: ClassVar[bool] = False

    change = models.ForeignKey(Change, models.CASCADE, related_name="approvals")
    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["change", "user", "digest"], name="approved_once")
        ]

    def __str__(self) -> str:
        return f"{self.user} approved {self.change}"


class ChangeEvent(OrganizationScoped, models.Model):
    """A state transition of a change, written in the same transaction. Immutable."""

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
