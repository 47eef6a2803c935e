"""The tests make their tables from the models; those of the portal came by its migrations."""

import json
from collections.abc import Iterator

import pytest
from django.db import connection

from tests.live.conftest import Portal

# Of Django's own: by its migrations the rows have larger numbers.
DIFFERS = {"auth_group_permissions"}
pytestmark = [pytest.mark.live, pytest.mark.django_db]


def told() -> Iterator[str]:
    """What the database says of the tables of models: their columns, and what constrains them."""
    look = connection.introspection
    with connection.cursor() as cursor:
        for table in sorted({*look.django_table_names(only_existing=True)} - DIFFERS):
            for column in look.get_table_description(cursor, table):
                # Types are numbers, and those of geometry differ from database to database.
                kind = look.get_field_type(column.type_code, column)
                rest = [value for at, value in enumerate(column) if at != 1]
                yield f"{table}: {kind} {rest}"
            for constraint in look.get_constraints(cursor, table).values():
                yield f"{table}: {sorted(constraint.items())}"


def test_the_migrations_end_with_the_tables_that_the_models_describe(portal: Portal) -> None:
    code = (
        "import json; from tests.live.test_migrations import told; print(json.dumps([*told()]))"
    )
    migrated, described = json.loads(portal.shell(code)), [*told()]
    assert set(migrated) - set(described) == set(described) - set(migrated) == set()
    assert sorted(migrated) == sorted(described)
