"""Supervisor calls with their results, batches, and remembered answers."""

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    OrganizationOwned,
    OrganizationScoped,
    OrganizationScopedQuerySet,
    User,
)
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base, Dated
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedJSONField, EncryptedTextField
from supervisor_proxy.models.supervisors import Supervisor


class BatchQuerySet(OrganizationScopedQuerySet):
    def counted(self) -> "BatchQuerySet":
        """Annotate ``total`` and the number of calls by state."""
        rows: BatchQuerySet = self.annotate(
            total=models.Count("calls"),
            **{
                state: models.Count("calls", filter=models.Q(calls__state=state))
                for state in SupervisorCall.State.values
            },
        )
        return rows


class SupervisorBatch(OrganizationOwned, Base):
    """One call on the supervisors of many devices, with one row per device."""

    name = models.CharField(max_length=64)
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=512)
    app_id = models.PositiveBigIntegerField(null=True)
    actor = models.CharField(max_length=150, blank=True)

    objects = BatchQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        verbose_name = _("batch call")
        ordering = ["-created"]

    def __str__(self) -> str:
        return gettext("%(name)s of %(time)s") % {
            "name": self.name,
            "time": f"{self.created:%Y-%m-%d %H:%M}",
        }


class CallQuerySet(OrganizationScopedQuerySet):
    def open(self) -> Self:
        return self.filter(state__in=SupervisorCall.OPEN)


class SupervisorCall(OrganizationScoped, Leased, Base):
    """One attempted call. Written before anything is sent, and closed once."""

    secret_fields: ClassVar[SecretFields] = SecretFields(
        "supervisor:secret", whole=frozenset({"wish"})
    )

    organization_path: ClassVar[str] = "supervisor__device__organization"
    # The row is an audit record itself.
    is_audited = False

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("succeeded")
        FAILED = "failed", _("the device said no")
        LOCKED = "locked", _("locked by the application")
        REFUSED = "refused", _("refused by the portal")
        UNREACHABLE = "unreachable", _("not reached")
        # Sent without an answer: it may have been executed.
        UNKNOWN = "unknown", _("unknown")
        EXPIRED = "expired", _("expired")
        CANCELED = "canceled", _("canceled")

    OPEN = (State.QUEUED, State.RUNNING)

    supervisor = models.ForeignKey(Supervisor, models.CASCADE, related_name="calls")
    batch = models.ForeignKey(SupervisorBatch, models.SET_NULL, null=True, related_name="calls")
    name = models.CharField(
        max_length=64, blank=True, help_text=_("The call's row in the table.")
    )
    method = models.CharField(max_length=8)
    path = models.CharField(max_length=512)
    asked = models.JSONField(default=dict, help_text=_("Body of the call without secrets."))
    body_digest = models.CharField(max_length=64, blank=True)
    # Complete request while queued; cleared at the end.
    wish = EncryptedJSONField(null=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    status = models.PositiveSmallIntegerField(null=True, help_text=_("Answer of the device."))
    answer = EncryptedTextField(blank=True)
    code = models.CharField(max_length=32, blank=True)
    reason = models.TextField(blank=True)
    started = models.DateTimeField(null=True)
    ended = models.DateTimeField(null=True)
    duration = models.PositiveIntegerField(null=True, help_text=_("Milliseconds."))
    # Progress of long calls as reported by the device.
    progress = models.PositiveSmallIntegerField(default=0, help_text=_("Percent."))
    stage = models.CharField(max_length=64, blank=True)
    # Expiry of a call queued for an offline device.
    expires = models.DateTimeField(null=True)
    # Result of the follow-up on a call with unknown outcome.
    verified = models.DateTimeField(null=True)
    verdict = models.TextField(blank=True)
    actor = models.CharField(max_length=150, blank=True)
    actor_id = models.UUIDField(null=True)
    channel = models.CharField(max_length=16, blank=True)
    address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=132, blank=True)

    objects = CallQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(fields=["supervisor", "-created"]),
            models.Index(
                fields=["created"], name="supervisor_calls_open",
                condition=models.Q(state__in=["queued", "running"]),
            ),
            models.Index(
                fields=["ended"], name="supervisor_calls_unverified",
                condition=models.Q(state="unknown", verified=None),
            ),
            lease_index("supervisor_call_leased"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return gettext("%(name)s on %(device)s") % {
            "name": f"{self.method} {self.path}",
            "device": self.supervisor.device,
        }


CALLS = LeaseQueue(
    "supervisor_calls", SupervisorCall, waits=models.Q(state__in=SupervisorCall.OPEN),
    leased={"state": SupervisorCall.State.RUNNING},
    waiting={"state": SupervisorCall.State.QUEUED},
)  # fmt: skip


class RememberedAnswer(Dated):
    """Response to a request with an ``Idempotency-Key``, for its repetition."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"body"}))

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    key_digest = models.CharField(max_length=64)
    request_digest = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(
        null=True, help_text=_("Empty while the call runs.")
    )
    content_type = models.CharField(max_length=64, blank=True)
    body = EncryptedTextField(blank=True)
    expires = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key_digest"], name="idempotency_key_once")
        ]

    def __str__(self) -> str:
        return f"Answer {self.status} to {self.user}"
