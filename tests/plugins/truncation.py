"""Empties the database after a test whose transactions were real.

Django's own way empties all tables (some 150), whether or not the test wrote to them, and makes
all permissions anew: most of a second for each such test.
"""

from functools import cache

from django.db import connection, transaction
from django.test import TransactionTestCase

# Made by the migrations' signals, and never by a test.
KEPT = {"auth_permission", "django_content_type"}


@cache
def question() -> str:
    """SQL for the names of the tables that have rows."""
    names = connection.introspection.django_table_names(only_existing=True)
    asked = [
        f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {connection.ops.quote_name(name)})"  # noqa: S608
        for name in names
        if name not in KEPT
    ]
    return " UNION ALL ".join(asked)


def empty(_: TransactionTestCase) -> None:
    # In one transaction, at whose end the foreign keys are looked at.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(question())
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(name)}")  # noqa: S608


TransactionTestCase._fixture_teardown = empty
