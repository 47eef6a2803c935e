"""Connections to the database: released while a thread waits, and what to say while it is away."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connection, connections
from django.db.models import Model, ProtectedError
from django.utils.translation import gettext

from controller.base.errors import Conflict

# SQLSTATE classes: no connection, no resources, shut down; and what another transaction caused.
AWAY = ("08", "53", "57P", "40001", "40P01", "55P03")
SQLITE_AWAY = (
    "SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_CANTOPEN",
    "SQLITE_READONLY",
)  # fmt: skip
DISK_FULL = {errno.ENOSPC, errno.EDQUOT}
BUSY = "The database is busy or away. Try again in a few seconds."
FULL = "The portal's disk is full. An administrator has to make room."


def release_connections() -> None:
    """Close this thread's idle database connections before it waits for another machine.

    The next query opens a new connection. A connection with an open transaction stays.
    """
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close()


def renew_connections() -> None:
    """Close this thread's database connections that the server has ended.

    The next query opens a new one. A connection with an open transaction stays.
    """
    for one in connections.all(initialized_only=True):
        if not one.in_atomic_block:
            one.close_if_unusable_or_obsolete()


def update_columns(rows: Sequence[Model], *names: str) -> None:
    """Write these columns of the rows: one statement for all, in one round trip.

    ``bulk_update`` builds an expression for each value, which takes longer than the update.
    """
    if not rows:
        return
    meta, quoted = type(rows[0])._meta, connection.ops.quote_name
    fields: list[Any] = [meta.get_field(name) for name in names]
    *assigned, key = (f"{quoted(field.column)} = %s" for field in (*fields, meta.pk))
    sql = f"UPDATE {quoted(meta.db_table)} SET {', '.join(assigned)} WHERE {key}"  # noqa: S608
    values = [
        [
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in (*fields, meta.pk)
        ]
        for row in rows
    ]
    with connection.cursor() as cursor:
        cursor.executemany(sql, values)


@contextmanager
def conflict_if_used(row: object, advice: str) -> Iterator[None]:
    """Raise Conflict with the names of the rows that protect this one from being deleted."""
    try:
        yield
    except ProtectedError as error:
        users = ", ".join(sorted({str(one) for one in error.protected_objects}))
        raise Conflict(
            gettext("%(row)s is in use by %(users)s; %(advice)s.")
            % {"row": row, "users": users, "advice": advice}
        ) from error


def outage(error: BaseException | None) -> str | None:
    """Return what to tell a client if an error is an outage of the portal, else None."""
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        return FULL
    if not isinstance(error, OperationalError | InterfaceError):
        return None
    return _database_outage(error)


def _database_outage(error: DatabaseError | InterfaceError) -> str | None:
    cause = error.__cause__
    name = getattr(cause, "sqlite_errorname", None)
    state = getattr(cause, "sqlstate", None)
    if name == "SQLITE_FULL" or state == "53100":
        return FULL
    if name is not None:
        return BUSY if name.startswith(SQLITE_AWAY) else None
    return BUSY if state is None or state.startswith(AWAY) else None
