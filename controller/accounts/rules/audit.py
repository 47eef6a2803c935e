"""Record audit entries, seal them in hash chains, and verify the chains.

Writes of single rows by users and API clients are recorded by the rows themselves
(``Audited``). Rules call :func:`record_audit` for everything else that a user does: bulk
writes, actions without a row, refused attempts.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F

from controller.accounts.engine import audit_chain
from controller.accounts.models import AuditChain, AuditEntry, User
from controller.accounts.models.audit import PORTAL, key
from controller.base.request_context import context_or_none, current_context

AT_ONCE = 1000
OF_ROW: Any = object()


def record_audit(
    action: str,
    row: Any = None,
    *,
    organization_id: UUID | None = OF_ROW,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    outcome: str = "done",
    detail: str = "",
    by: User | None = None,
    **named: str,
) -> None:
    """Record an action on a row, its outcome (done, refused, failed) and actor.

    The entry is written in the surrounding transaction. Actor and address come from the
    request
    context; ``by`` names an actor the context does not know yet. Secrets in ``before`` and
    ``after`` are masked by field name. ``named`` (object_type, object_id, object_name)
    replaces
    a missing row.
    """
    if organization_id is OF_ROW:
        organization_id = getattr(row, "audit_organization_id", getattr(row, "owner_id", None))
    trace = current_context()
    if by is not None:
        trace = replace(trace, actor=by.get_username(), actor_id=by.pk)
    old, new = audit_chain.changes(before, after)
    AuditEntry.objects.note(
        action,
        row,
        organization_id=organization_id,
        before=old,
        after=new,
        outcome=outcome,
        detail=str(audit_chain.shown("", audit_chain.plain(detail))),
        trace=trace,
        **named,
    )


def has_actor() -> bool:
    """Return whether a user or API client is acting, not the portal or a device."""
    trace = context_or_none()
    return bool(trace and trace.actor)


def chain_name(organization_id: UUID | None) -> str:
    return str(organization_id) if organization_id else PORTAL


def seal_entries() -> int:
    """Chain all committed, unchained entries. Returns their number."""
    waiting = AuditEntry.objects.filter(number=None).order_by()
    chains = list(waiting.values_list("organization_id", flat=True).distinct())
    return sum(_seal_chain(organization_id) for organization_id in chains)


def _seal_chain(organization_id: UUID | None) -> int:
    sealed = 0
    while rows := _seal_some(organization_id):
        sealed += rows
        if rows < AT_ONCE:
            break
    return sealed


@transaction.atomic
def _seal_some(organization_id: UUID | None) -> int:
    name = chain_name(organization_id)
    AuditChain.objects.get_or_create(name=name)
    # Row lock: a second worker waits here and then finds nothing left to do.
    head = AuditChain.objects.select_for_update().get(name=name)
    rows = list(
        AuditEntry.objects.filter(organization=organization_id, number=None).order_by("id")[
            :AT_ONCE
        ]
    )
    for row in rows:
        head.number += 1
        head.seal = row.seal = audit_chain.link(key(), head.seal, head.number, row.digest)
        row.number = head.number
    AuditEntry.objects.bulk_update(rows, ["number", "seal"], batch_size=200)
    head.save()
    return len(rows)


def heads() -> list[str]:
    """Return ``name:number:seal`` of every chain, to be kept where nobody here can change it."""
    return [
        f"{one.name}:{one.number}:{one.seal}" for one in AuditChain.objects.order_by("name")
    ]


def is_found(head: str) -> bool:
    """Return whether a head that was kept elsewhere is in its chain still."""
    name, _, rest = head.partition(":")
    number, _, seal = rest.partition(":")
    if not (number.isascii() and number.isdigit() and seal):
        return False
    rows = AuditEntry.objects.filter(number=int(number), seal=seal)
    return any(
        chain_name(one) == name for one in rows.values_list("organization_id", flat=True)
    )


@dataclass(frozen=True)
class ChainCheck:
    """Result of verifying one chain."""

    name: str
    entries: int
    unsealed: int
    seal: str
    problems: list[str]


def verify_chains(organization_ids: set[UUID | None] | None = None) -> list[ChainCheck]:
    """Verify the chains of these organizations (or all) and return their problems."""
    told = AuditEntry.objects.order_by().values_list("organization_id", flat=True).distinct()
    names: dict[str, UUID | None] = {chain_name(one): one for one in told}
    heads = {one.name: one for one in AuditChain.objects.all()}
    for name in heads:
        names.setdefault(name, None if name == PORTAL else UUID(name))
    return [
        _verify_chain(name, organization_id, heads.get(name))
        for name, organization_id in sorted(names.items())
        if organization_ids is None or organization_id in organization_ids
    ]


def _verify_chain(
    name: str, organization_id: UUID | None, head: AuditChain | None
) -> ChainCheck:
    rows = AuditEntry.objects.filter(organization=organization_id)
    unsealed = rows.filter(number=None)
    problems = [f"entry {row.pk} was altered" for row in unsealed if _is_altered(row)]
    seal, number = "", 0
    for row in rows.exclude(number=None).order_by(F("number")).iterator(AT_ONCE):
        problems += _problems_of(row, number, seal)
        seal, number = row.seal, row.number or 0
    if (head.number if head else 0) > number:
        problems.append(f"entries after number {number} are missing")
    elif head and (head.number, head.seal) != (number, seal):
        problems.append("the end of the chain was altered")
    return ChainCheck(name, number, unsealed.count(), seal, problems)


def _is_altered(row: AuditEntry) -> bool:
    return row.digest != row.computed_digest()


def _problems_of(row: AuditEntry, number: int, seal: str) -> Iterator[str]:
    if row.number != number + 1:
        yield f"entries between number {number} and {row.number} are missing"
    elif row.seal != audit_chain.link(key(), seal, row.number, row.digest):
        yield f"the seal of number {row.number} does not fit the entry before it"
    if _is_altered(row):
        yield f"number {row.number} was altered"
