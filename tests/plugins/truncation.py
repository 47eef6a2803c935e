"""Fast cleanup of the database after tests with real transactions.

Django truncates all tables (some 150), whether or not a test wrote to them, and creates all
permissions again, which takes most of a second per test.
"""

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

# Created by migration signals, never by a test.
KEPT = {"auth_permission", "django_content_type"}


@cache
def question() -> str:
    """Return SQL for the names of non-empty tables."""
    names = connection.introspection.django_table_names(only_existing=True)
    asked = [
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"  # noqa: S608
        for name in names
        if name not in KEPT
    ]
    return " UNION ALL ".join(asked)


def empty(_: TransactionTestCase) -> None:
    # In one transaction, so that foreign keys are checked only at its end.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(question())
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608


TransactionTestCase._fixture_teardown = empty
