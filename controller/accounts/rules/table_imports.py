"""Imports of tables: a worker reads and previews the file, and writes it when confirmed.

No transaction is open while a file is parsed, and each is over after a few rows: others write in
between. A row that is refused while the others are written is left out and listed.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext
from import_export.results import RowResult
from tablib import Dataset

from controller.accounts.models import TableImport, User
from controller.accounts.models.table_imports import IMPORTS
from controller.base.database import outage
from controller.base.errors import Conflict, Refused
from controller.base.import_export import RESOURCES, RuleResource
from controller.base.leases import LeaseHolder
from controller.base.request_context import current_context, use_context
from controller.base.tables import measure, parse
from controller.celery import enqueue_on_commit

RUN = "controller.accounts.tasks.run_imports"
# The page shows the first rows, and the first refusals.
SHOWN = 200
# Rows of one transaction.
SLICE = 5
MOST_ATTEMPTS = 3
LONGEST_CELL = 200
LONGEST_PROBLEM = 2000
UNCONFIRMED_FOR = timedelta(days=1)
WORKERS_DIED = "The import was cut off three times. Try a smaller table."
FAILED = "The import failed. The portal's log says why."

State = TableImport.State
Holder = LeaseHolder[TableImport]
log = logging.getLogger(__name__)


class Lost(Exception):
    """The import was discarded, or another worker has it by now."""


def start(user: User, *, target: str, name: str, data: bytes) -> TableImport:
    """Take a file in; what the user had not confirmed of this list is discarded.

    Raises Refused if the file is too large, before it is parsed.
    """
    measure(data)
    own = TableImport.objects.filter(user=user, target=target)
    if own.filter(state=State.WRITING).exists():
        raise Conflict(gettext("Another import of yours is under way."))
    with transaction.atomic():
        own.filter(state__in=[State.READING, State.READY]).delete()
        row = TableImport.objects.create(user=user, target=target, name=name[:150], data=data)
        enqueue_on_commit(RUN)
    return row


@transaction.atomic
def confirm(row: TableImport) -> None:
    """Have the previewed rows written; raise Refused if one of them cannot be."""
    row = TableImport.objects.select_for_update().get(pk=row.pk)
    if row.state != State.READY:
        raise Conflict(gettext("It is not waiting for this."))
    if row.found["counts"].get("refused"):
        raise Refused(gettext("Correct the rows that are refused, and upload the table again."))
    row.state, row.done, row.attempts, row.not_before = State.WRITING, 0, 0, timezone.now()
    row.found = {"headers": row.found["headers"], "counts": {}, "rows": [], "refused": []}
    row.save()
    enqueue_on_commit(RUN)


def discard(row: TableImport) -> None:
    if row.state == State.WRITING:
        raise Conflict(gettext("It is being written."))
    row.delete()


def prune() -> int:
    """Delete what nobody confirmed. Returns the number of imports."""
    rows = TableImport.objects.filter(
        state=State.READY, modified__lt=timezone.now() - UNCONFIRMED_FOR
    )
    return rows.delete()[0]


# --- worker


def run_due() -> int:
    """Read or write the imports that wait. Returns their number."""
    IMPORTS.put_back()
    holder, done = LeaseHolder(IMPORTS), 0
    while taken := holder.lease(1, TableImport.objects.select_related("user")):
        _run(taken[0], holder)
        done += 1
    prune()
    return done


def _run(row: TableImport, holder: Holder) -> None:
    actor = replace(current_context(), actor=row.user.get_username(), actor_id=row.user_id)
    try:
        with use_context(actor):
            (_read if row.state == State.READING else _write)(row, holder)
    except Lost:
        log.info("The import %s was discarded", row.pk)
    except Refused as refusal:
        _end(row, holder, State.REFUSED, problem=str(refusal)[:LONGEST_PROBLEM])
    except Exception as error:
        if outage(error):
            # Its lease runs out, and it goes on where it was.
            raise
        log.exception("The import %s failed", row.pk)
        _end(row, holder, State.REFUSED, problem=FAILED)


def _end(row: TableImport, holder: Holder, state: State, **values: Any) -> None:
    holder.end(row, state=state, ended=timezone.now(), data=b"", **values)


def _opened(row: TableImport) -> tuple[RuleResource, Dataset]:
    """Return the resource and the table of an import; raise Refused if they do not fit."""
    if row.attempts > MOST_ATTEMPTS:
        raise Refused(WORKERS_DIED)
    if not row.user.may_sign_in:
        raise Refused(gettext("Whoever uploaded it may not sign in any more."))
    resource, table = RESOURCES[row.target](user=row.user), parse(bytes(row.data))
    table.headers = [resource.renamed(name) for name in table.headers or []]
    if problem := resource.problem_of(table):
        raise Refused(problem)
    return resource, table


def _read(row: TableImport, holder: Holder) -> None:
    """Try every row and take each back: what is new, what changes, and what is refused."""
    resource, table = _opened(row)
    headers: list[str] = [str(one) for one in resource.get_diff_headers()]
    found: dict[str, Any] = {"headers": headers, "counts": {}, "rows": [], "refused": []}
    earlier: dict[tuple[str, ...], int] = {}
    for at, rows in _slices(table, 0):
        results = _imported(resource, table.headers, rows, dry_run=True)
        for number, (cells, result) in enumerate(zip(rows, results, strict=True), at + 1):
            key = resource.same_row(dict(zip(table.headers, cells, strict=True)))
            twice = earlier.setdefault(key, number) if key else number
            refusals = _refusals(result)
            if twice != number:
                refusals.append(f"Row {twice} is of the same one.")
            _note(found, number, result, refusals)
        _progress(row, holder, done=at + len(rows), total=len(table))
    holder.end(row, state=State.READY, found=found, total=len(table), modified=timezone.now())


def _write(row: TableImport, holder: Holder) -> None:
    """Write the rows that are not written yet."""
    resource, table = _opened(row)
    found = row.found
    for at, rows in _slices(table, row.done):
        with transaction.atomic():
            results = _imported(resource, table.headers, rows, dry_run=False)
            for number, result in enumerate(results, at + 1):
                _note(found, number, result, _refusals(result))
            # In the same transaction: whoever goes on after a lost worker repeats no row.
            _progress(row, holder, done=at + len(rows), found=found)
    _end(row, holder, State.DONE, found=found)


def _progress(row: TableImport, holder: Holder, **values: Any) -> None:
    if not holder.mine.filter(pk=row.pk).update(**values):
        raise Lost
    holder.renew_if_due()


def _slices(table: Dataset, first: int) -> Iterator[tuple[int, Sequence[Any]]]:
    """Yield rows few by few, and leave others their time at a database with one writer."""
    for at in range(first, len(table), SLICE):
        begun = time.monotonic()
        yield at, table[at : at + SLICE]
        if connection.vendor == "sqlite" and not connection.in_atomic_block:
            Event().wait(time.monotonic() - begun)


def _imported(
    resource: RuleResource, headers: Sequence[str], rows: Sequence[Any], *, dry_run: bool
) -> list[RowResult]:
    """Import rows; one that fails is left out. A dry run takes all of them back."""
    result = resource.import_data(Dataset(*rows, headers=list(headers)), dry_run=dry_run)
    if result.has_errors() and len(rows) > 1:
        # The whole slice was taken back.
        return [
            found
            for row in rows
            for found in _imported(resource, headers, [row], dry_run=dry_run)
        ]
    found: list[RowResult] = result.rows
    return found


def _refusals(result: RowResult) -> list[str]:
    error = result.validation_error
    if isinstance(error, ValidationError) and hasattr(error, "error_dict"):
        return [
            text if name == "__all__" else f"{name}: {text}"
            for name, texts in error.message_dict.items()
            for text in texts
        ]
    texts = list(error.messages) if isinstance(error, ValidationError) else []
    return texts + [str(one.error) for one in result.errors]


def _note(found: dict[str, Any], number: int, result: RowResult, refusals: list[str]) -> None:
    """Count a row, and keep it if it is one of those that the page shows."""
    kind = "refused" if refusals else str(result.import_type)
    found["counts"][kind] = found["counts"].get(kind, 0) + 1
    shown = found["refused"] if refusals else found["rows"]
    if len(shown) < SHOWN:
        cells = [
            {"value": after[:LONGEST_CELL], "was": before[:LONGEST_CELL]}
            for before, after in result.diff or ()
        ]
        shown.append({"number": number, "kind": kind, "cells": cells, "why": refusals[:5]})
