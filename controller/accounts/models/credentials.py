"""Credentials of users and API clients, and their sessions."""

from typing import Any, ClassVar, Self
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models.audit import Audited
from controller.accounts.models.users import User
from controller.base.models import Base, Dated
from controller.base.secret_fields import SecretFields
from controller.base.secrets import EncryptedTextField


class UserOwnedQuerySet(models.QuerySet[Any]):
    """Queryset of rows that belong to a user."""

    def visible_to(self, user: User | AnonymousUser, to: str = "") -> Self:
        if not isinstance(user, User) or not user.is_active:
            return self.none()
        everybody = user.is_superuser and user.scopes is None
        return self if everybody else self.filter(user=user)


class UserOwned(Audited):
    """Row that belongs to a user."""

    user: Any

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = self.user.audit_organization_id
        return owner


class ApiToken(UserOwned, Dated):
    """API token. Only a hash is stored, so the token is shown once."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=64, help_text=_("Purpose, such as “nightly report”."))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    last_used = models.DateTimeField(null=True, editable=False)

    objects = UserOwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("API token")

    def __str__(self) -> str:
        return gettext("%(name)s of %(owner)s") % {"name": self.name, "owner": self.user}


class ApiKey(UserOwned, Base):
    """Long-lived API key, optionally restricted by scopes. Only a hash is stored."""

    user = models.ForeignKey(User, models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=100, help_text=_("Purpose, such as “nightly report”."))
    description = models.TextField(max_length=2000, blank=True)
    prefix = models.CharField(
        max_length=12, editable=False, help_text=_("Name of the key, such as “nightly report”.")
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Permissions. Leave empty for all permissions of the owner."),
    )
    expires_at = models.DateTimeField(null=True, blank=True)
    is_active = models.BooleanField(default=True)
    last_used = models.DateTimeField(null=True, editable=False)

    objects = UserOwnedQuerySet.as_manager()

    class Meta:
        verbose_name = _("API key")
        ordering = ["-created"]

    def __str__(self) -> str:
        return gettext("%(name)s of %(owner)s") % {
            "name": f"{self.name} ({self.prefix}…)",
            "owner": self.user,
        }


class Session(UserOwned, Base):
    """Session of the API: its tokens are valid as long as this row."""

    is_audited: ClassVar[bool] = False  # sign-in and sign-out are recorded by the rules

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"browser_key"}))

    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    # Id of the currently valid refresh token; each use replaces it.
    refresh_id = models.UUIDField(editable=False)
    # Of a browser that is signed in to the pages; it has no tokens.
    browser_key = EncryptedTextField(blank=True, editable=False)
    user_agent = models.CharField(max_length=255, blank=True, editable=False)
    address = models.GenericIPAddressField(null=True, editable=False)
    last_seen = models.DateTimeField(default=timezone.now, editable=False)
    expires = models.DateTimeField(editable=False)
    is_remembered = models.BooleanField(default=False, editable=False)
    revoked = models.DateTimeField(null=True, editable=False)
    revoked_because = models.CharField(max_length=64, blank=True, editable=False)

    objects = UserOwnedQuerySet.as_manager()

    class Meta:
        ordering = ["-last_seen"]

    def __str__(self) -> str:
        return gettext("%(name)s since %(time)s") % {
            "name": self.user,
            "time": f"{self.created:%Y-%m-%d %H:%M}",
        }


class Authenticator(UserOwned, Dated):
    """Authenticator app (TOTP); active once a first code confirmed it."""

    secret_fields: ClassVar[SecretFields] = SecretFields(whole=frozenset({"secret"}))

    user = models.OneToOneField(User, models.CASCADE, related_name="authenticator")
    secret = EncryptedTextField(editable=False)
    confirmed = models.DateTimeField(null=True, editable=False)
    # Time step of the last used code: each code is valid once.
    last_step = models.BigIntegerField(default=-1, editable=False)

    def __str__(self) -> str:
        return f"Authenticator of {self.user}"


class BackupCode(models.Model):
    """Backup code, valid once in place of an authenticator code."""

    user = models.ForeignKey(User, models.CASCADE, related_name="backup_codes")
    digest = models.CharField(max_length=64, unique=True, editable=False)
    used = models.DateTimeField(null=True, editable=False)

    def __str__(self) -> str:
        return f"Backup code of {self.user}"


class Lockout(models.Model):
    """Failed sign-ins under a name, whether or not such a user exists."""

    name_digest = models.CharField(max_length=64, unique=True, editable=False)
    failures = models.PositiveSmallIntegerField(default=0)
    last_failure = models.DateTimeField(default=timezone.now)
    locked_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.failures} failures"
