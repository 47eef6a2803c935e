"""Notices, notifications, preferences, mutes, webhooks and deliveries."""

from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import get_language, gettext, gettext_lazy
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import (
    Organization,
    OrganizationOwned,
    OrganizationScoped,
    Shareable,
    Site,
    User,
)
from controller.accounts.models.audit import Audited
from controller.accounts.models.credentials import UserOwned, UserOwnedQuerySet
from controller.base.address_secrets import AddressSecrets
from controller.base.leases import Leased, LeaseQueue, lease_index
from controller.base.models import Base
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField
from controller.notifications.engine.kinds import KINDS, text_of
from controller.notifications.engine.signing import key_of, new_secret

KIND_CHOICES = [(name, gettext_lazy(kind.label)) for name, kind in KINDS.items()]


class Notice(Shareable, Base):
    """Notable event; its recipients are resolved a moment later by a worker."""

    is_audited = False

    site = models.ForeignKey(Site, models.CASCADE, null=True, related_name="+")
    kind = models.CharField(max_length=40, choices=KIND_CHOICES)
    family = models.CharField(max_length=16)
    # Permission on the row that recipients need.
    permission = models.CharField(max_length=40)
    has_site = models.BooleanField(default=True)
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(max_length=200)
    text = models.CharField(max_length=1000)
    data = models.JSONField(default=dict)
    # Latest notice of its family and row.
    is_latest = models.BooleanField(default=True)
    is_spread = models.BooleanField(default=False)

    class Meta:
        ordering = ["-created"]
        indexes = [
            models.Index(
                fields=["object_id"], name="notice_latest", condition=Q(is_latest=True)
            ),
            models.Index(
                fields=["created"], name="notice_unspread", condition=Q(is_spread=False)
            ),
        ]

    def __str__(self) -> str:
        return self.text

    @property
    def level(self) -> str:
        return KINDS[self.kind].level

    @property
    def label(self) -> str:
        return gettext(KINDS[self.kind].label)

    @property
    def translated_text(self) -> str:
        """Return the text in the language in use; it is stored in English."""
        if (get_language() or "en").startswith("en") or self.kind not in KINDS:
            return self.text
        known = {name: value for name, value in self.data.items() if value != "None"}
        return text_of(self.kind, known, gettext)


class NotificationQuerySet(models.QuerySet[Any]):
    def visible_to(self, user: Any, to: str = "") -> Self:
        """Return the user's own notifications of rows that are still visible."""
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        seen = Notice.objects.visible_to(user).values("pk")
        return self.filter(recipient=user, is_shown=True, notice__in=seen)


class Notification(Audited, Leased, Base):
    """Notice as delivered to one user."""

    is_audited: ClassVar[bool] = False

    notice = models.ForeignKey(Notice, models.CASCADE, related_name="notifications")
    recipient = models.ForeignKey(User, models.CASCADE, related_name="notifications")
    unread = models.BooleanField(default=True)
    # False for users who want e-mails only.
    is_shown = models.BooleanField(default=True)
    wants_email = models.BooleanField(default=False)
    emailed = models.BooleanField(default=False)

    objects = NotificationQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(fields=["notice", "recipient"], name="told_once")
        ]
        indexes = [
            models.Index(fields=["recipient", "unread", "-created"]),
            models.Index(
                fields=["created"], name="to_be_emailed",
                condition=Q(wants_email=True, emailed=False),
            ),
            lease_index("notification_leased"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return str(self.notice)


class Preference(UserOwned, Base):
    """Notification preference of a user: per kind and organization, or general."""

    user = models.ForeignKey(User, models.CASCADE, related_name="preferences")
    organization = models.ForeignKey(
        Organization, models.CASCADE, null=True, blank=True, related_name="+"
    )
    kind = models.CharField(max_length=40, blank=True, choices=KIND_CHOICES)
    # None inherits: the user's general preference, else the organization's.
    web = models.BooleanField(null=True, blank=True)
    email = models.BooleanField(null=True, blank=True)

    objects = UserOwnedQuerySet.as_manager()

    class Meta:
        ordering = [F("organization__name").asc(nulls_first=True), "kind"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organization", "kind"], name="one_preference_each"
            ),
            models.UniqueConstraint(
                fields=["user", "kind"],
                condition=models.Q(organization=None),
                name="one_preference_everywhere",
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.get_kind_display() or 'All'} of {self.organization or 'all organizations'}"
        )


class OrganizationPreference(OrganizationOwned, Base):
    """Default notification preferences of an organization's members."""

    organization = models.OneToOneField(
        Organization, models.CASCADE, related_name="notification_settings"
    )
    web = models.BooleanField(default=True)
    email = models.BooleanField(default=True)

    def __str__(self) -> str:
        return gettext("Notifications of %(name)s") % {"name": self.organization}


class Mute(UserOwned, Base):
    """Object muted by a user, permanently or until a time."""

    user = models.ForeignKey(User, models.CASCADE, related_name="mutes")
    object_type = models.CharField(max_length=64)
    object_id = models.CharField(max_length=64)
    object_name = models.CharField(_("about"), max_length=200, blank=True)
    valid_till = models.DateTimeField(_("until"), null=True, blank=True)

    objects = UserOwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-created"]
        constraints = [
            models.UniqueConstraint(
                fields=["user", "object_type", "object_id"], name="muted_once"
            )
        ]

    def __str__(self) -> str:
        return self.object_name or self.object_id

    @property
    def is_over(self) -> bool:
        return self.valid_till is not None and self.valid_till <= timezone.now()


def valid_secret(value: str) -> None:
    try:
        key_of(value)
    except ValueError as error:
        raise ValidationError(str(error)) from error


def valid_kinds(value: Any) -> None:
    if not isinstance(value, list) or not set(map(str, value)) <= set(KINDS):
        raise ValidationError(
            gettext("A list of some of these is expected: %(kinds)s.")
            % {"kinds": ", ".join(KINDS)}
        )


class Webhook(OrganizationOwned, Base):
    """URL that receives signed messages with an organization's notices."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"secret"}))

    address_secrets: ClassVar[AddressSecrets] = AddressSecrets(
        address=("url",), secrets=("secret",)
    )

    name = models.CharField(max_length=64)
    url = models.URLField(
        _("URL"),
        max_length=500,
        help_text=_("Receiver of the messages, such as https://hooks.example.org/muster."),
    )
    secret = EncryptedTextField(
        default=new_secret, validators=[valid_secret],
        help_text=_("Secret that signs the messages, so that the receiver can verify them."),
    )  # fmt: skip
    kinds = models.JSONField(
        default=list,
        blank=True,
        validators=[valid_kinds],
        help_text=_("Leave empty for all kinds."),
    )
    is_active = models.BooleanField(_("active"), default=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0, editable=False)
    trouble = models.CharField(max_length=255, blank=True, editable=False)
    last_success = models.DateTimeField(null=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["organization", "name"], name="webhook_name_unique")
        ]

    def __str__(self) -> str:
        return self.name


class Delivery(OrganizationScoped, Leased, Base):
    """Delivery of one notice to one webhook."""

    is_audited = False
    organization_path = "webhook__organization"

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DONE = "done", _("Delivered")
        FAILED = "failed", _("Given up")

    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    notice = models.ForeignKey(Notice, models.CASCADE, related_name="deliveries")
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    not_before = models.DateTimeField(
        default=timezone.now, db_default=Now(), db_column="due", editable=False
    )
    answer = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-created"]
        verbose_name_plural = _("deliveries")
        constraints = [
            models.UniqueConstraint(fields=["webhook", "notice"], name="delivered_once")
        ]
        indexes = [
            models.Index(
                fields=["not_before"], name="delivery_due", condition=Q(state="waiting")
            ),
            lease_index("delivery_leased"),
        ]

    def __str__(self) -> str:
        return gettext("%(name)s to %(target)s") % {"name": self.notice, "target": self.webhook}


DELIVERIES = LeaseQueue(
    "deliveries", Delivery, waits=Q(state=Delivery.State.WAITING, webhook__is_active=True),
    seconds=60, shortest_pause=5, longest_pause=3600,
)  # fmt: skip
EMAILS = LeaseQueue(
    "emails", Notification, waits=Q(wants_email=True, emailed=False),
    seconds=60, shortest_pause=60, longest_pause=3600,
)  # fmt: skip


def emails_are_sent() -> bool:
    return bool(settings.MUSTER_NOTIFY_BY_EMAIL)
