"""Audit log, and the mixin that records changes of rows.

Entries are written in the transaction of the change. They are chained a few seconds later,
so
that concurrent writes never wait for each other because of the chain.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, ClassVar, Self
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine import audit_chain
from controller.accounts.engine.scopes import NO_SITE, SiteScope
from controller.base.errors import Conflict
from controller.base.request_context import RequestContext, context_or_none, current_context
from controller.base.secrets import EncryptedBytesField, EncryptedTextField

PORTAL = "portal"
# Fields that change with every use of a row or carry no information.
NEVER = frozenset({"created", "modified", "last_login", "last_used", "last_seen"})


@lru_cache(maxsize=1)
def _key(secret: str) -> bytes:
    return f"audit {secret}".encode()


def key() -> bytes:
    return _key(settings.MUSTER_AUDIT_KEY)


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    def visible_to(self, user: Any, to: str = "audit:read") -> Self:
        """Return the entries of organizations whose audit log the user may read.

        Entries of the portal itself are visible to superusers only.
        """
        if not getattr(user, "is_active", False):
            return self.none()
        if user.is_superuser:
            return self if user.has_perm_in(to, None) else self.none()
        return self.filter(
            organization__in=[
                pk for pk in user.access_by_organization if user.has_perm_in(to, pk)
            ]
        )

    def note(
        self,
        action: str,
        row: Any = None,
        *,
        organization_id: UUID | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
        outcome: str = "done",
        detail: str = "",
        trace: RequestContext | None = None,
        **more: Any,
    ) -> "AuditEntry":
        """Write one entry; secrets must already be masked."""
        trace = trace or current_context()
        entry = AuditEntry(
            organization_id=organization_id,
            actor_id=trace.actor_id,
            actor=trace.actor[:150],
            channel=trace.channel[:64],
            address=trace.address[:64],
            request_id=trace.request_id[:128],
            action=action,
            outcome=outcome,
            before=before,
            after=after,
            detail=detail[:1000],
            **({} if row is None else named(row)) | more,
        )
        entry.digest = entry.computed_digest()
        entry.save(force_insert=True)
        return entry


def named(row: Any) -> dict[str, str]:
    """Return the type, id and name of the row for display and filtering."""
    # Records are in English, whoever reads the page.
    with override(None):
        name = str(row)
    return {
        "object_type": row._meta.label_lower,
        "object_id": str(row.pk),
        "object_name": audit_chain.plain(name)[:200],
    }


class AuditEntry(models.Model):
    """Audit entry: an action that was done, refused or failed. Immutable."""

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        REFUSED = "refused", _("Refused")
        FAILED = "failed", _("Failed")

    # Kept when the organization is deleted.
    organization = models.ForeignKey(
        "accounts.Organization",
        models.DO_NOTHING,
        null=True,
        db_constraint=False,
        related_name="+",
    )
    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor_id = models.UUIDField(null=True, db_index=True)
    actor = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=64, blank=True)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=128, blank=True, db_index=True)
    action = models.CharField(max_length=64)
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    object_type = models.CharField(max_length=64, blank=True)
    object_id = models.CharField(max_length=64, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    detail = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    # Position in the chain of its organization, and the seal on this and all earlier entries.
    number = models.PositiveBigIntegerField(null=True)
    seal = models.CharField(max_length=64, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["organization", "-at", "-id"], name="audit_by_organization"),
            models.Index(fields=["object_type", "object_id"], name="audit_by_object"),
            models.Index(fields=["id"], name="audit_unsealed", condition=models.Q(number=None)),
        ]
        constraints = [
            models.UniqueConstraint(fields=["organization", "number"], name="audit_number")
        ]

    def __str__(self) -> str:
        return f"{self.actor or 'somebody'}: {self.action} {self.object_name}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise Conflict(gettext("An entry of the audit is never changed."))
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        raise Conflict(gettext("An entry of the audit is never deleted."))

    @property
    def owner_id(self) -> UUID | None:
        return self.organization_id

    @property
    def site_scope(self) -> SiteScope:
        return NO_SITE

    def computed_digest(self) -> str:
        left_out = {"id", "digest", "number", "seal"}
        content = {
            field.attname: audit_chain.plain(getattr(self, field.attname))
            for field in self._meta.concrete_fields
            if field.name not in left_out
        }
        content["at"] = self.at.timestamp().hex()
        return audit_chain.digest(key(), content)


class AuditChain(models.Model):
    """Head of an organization's chain; reveals removal of the last entries."""

    name = models.CharField(max_length=36, primary_key=True)
    number = models.PositiveBigIntegerField(default=0)
    seal = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.name}: {self.number}"


@lru_cache(maxsize=512)
def audited_fields(model: type[models.Model]) -> tuple[tuple[str, bool], ...]:
    """Return the audited fields: attribute name, and whether the value is secret."""
    left_out = NEVER | getattr(model, "not_audited", frozenset())
    return tuple(
        (field.attname, isinstance(field, EncryptedTextField | EncryptedBytesField))
        for field in model._meta.concrete_fields
        if not (field.generated or field.name in left_out or field.name.endswith("digest"))
    )


class Audited:
    """Mixin that records writes by users and API clients in the audit log.

    The actor is taken from the request context. Writes by the portal itself and by devices
    are not
    recorded, nor are bulk writes: rules record those with ``record_audit``.
    """

    is_audited: ClassVar[bool] = True
    not_audited: ClassVar[frozenset[str]] = frozenset()
    _meta: Any
    _state: Any
    pk: Any

    @property
    def audit_organization_id(self) -> UUID | None:
        owner: UUID | None = getattr(self, "owner_id", None)
        return owner

    def save(self, *args: Any, **kwargs: Any) -> None:
        trace = context_or_none()
        if trace is None or not trace.actor or not self.is_audited:
            super().save(*args, **kwargs)  # type: ignore[misc]
            return
        names = self._audited_names(kwargs.get("update_fields"))
        with transaction.atomic():
            before = None if self._state.adding else self._stored(names)
            super().save(*args, **kwargs)  # type: ignore[misc]
            self._note("create" if before is None else "update", before, self._states(names))

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        trace = context_or_none()
        if trace is None or not trace.actor or not self.is_audited:
            return super().delete(*args, **kwargs)  # type: ignore[misc]
        with transaction.atomic():
            # Before deletion, while the rows that determine the owner still exist.
            self._note("delete", self._states(self._audited_names(None)), None)
            return super().delete(*args, **kwargs)  # type: ignore[misc]

    def _audited_names(self, only: Iterable[str] | None) -> list[str]:
        names = [name for name, _ in audited_fields(type(self))]  # type: ignore[arg-type]
        if only is None:
            return names
        chosen = {self._meta.get_field(name).attname for name in only}
        return [name for name in names if name in chosen]

    def _stored(self, names: list[str]) -> dict[str, Any] | None:
        rows = type(self)._base_manager.filter(pk=self.pk)  # type: ignore[attr-defined]
        found: dict[str, Any] | None = rows.values("pk", *names).first()
        return found

    def _states(self, names: list[str]) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in names}
        return {
            name: value
            for name, value in values.items()
            if not hasattr(value, "resolve_expression")
        }

    def _note(
        self, action: str, before: dict[str, Any] | None, after: dict[str, Any] | None
    ) -> None:
        hidden = frozenset(name for name, secret in audited_fields(type(self)) if secret)  # type: ignore[arg-type]
        old, new = audit_chain.changes(before, after, hidden)
        if action == "update" and not new:
            return
        AuditEntry.objects.note(
            action, self, organization_id=self.audit_organization_id, before=old, after=new
        )
