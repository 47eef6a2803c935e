"""Insertion of many rows in one statement, without model instances."""

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import Model


def upsert(
    model: type[Model],
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    unique: Sequence[str],
    update: Sequence[str] = (),
) -> None:
    """Insert rows; of those that are there already, change the ``update`` columns, or nothing.

    Values are as the database has them: JSON as text, blobs as bytes.
    """
    found = list(rows)
    if not found:
        return
    quote = connection.ops.quote_name
    changes = ", ".join(f"{quote(one)} = EXCLUDED.{quote(one)}" for one in update)
    statement = (
        f"INSERT INTO {quote(model._meta.db_table)} ({', '.join(map(quote, columns))}) "  # noqa: S608
        f"VALUES ({', '.join(['%s'] * len(columns))}) "
        f"ON CONFLICT ({', '.join(map(quote, unique))}) "
        f"DO {f'UPDATE SET {changes}' if changes else 'NOTHING'}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, found)
