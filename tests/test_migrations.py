"""The migrations produce the same tables as the models."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection

from tests.live.conftest import database, manage

# A table of Django itself with larger ids by its migrations.
DIFFERS = {"auth_group_permissions"}
pytestmark = [pytest.mark.long, pytest.mark.django_db]


def told() -> Iterator[str]:
    """Yield the columns and constraints of the models' tables in the database."""
    look = connection.introspection
    with connection.cursor() as cursor:
        for table in sorted({*look.django_table_names(only_existing=True)} - DIFFERS):
            for column in look.get_table_description(cursor, table):
                # Type codes of PostgreSQL are numbers, and those of geometry differ between
                # databases.
                is_word = isinstance(column.type_code, str)
                kind = (
                    column.type_code
                    if is_word
                    else look.get_field_type(column.type_code, column)
                )
                rest = [value for at, value in enumerate(column) if at != 1]
                yield f"{table}: {kind} {rest}"
            for constraint in look.get_constraints(cursor, table).values():
                yield f"{table}: {sorted(constraint.items())}"


def test_the_migrations_end_with_the_tables_that_the_models_describe(tmp_path: Path) -> None:
    code = "import json; from tests.test_migrations import told; print(json.dumps([*told()]))"
    databases = database(tmp_path)
    environment = os.environ | {
        "DATABASE_URL": next(databases),
        "MUSTER_DATA_DIR": str(tmp_path),
    }
    manage(environment, "migrate", "-v", "0")
    migrated, described = (
        json.loads(manage(environment, "shell", "-v", "0", "-c", code)),
        [*told()],
    )
    next(databases, None)
    assert set(migrated) - set(described) == set(described) - set(migrated) == set()
    assert sorted(migrated) == sorted(described)
