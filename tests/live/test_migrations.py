"""The tests make their tables from the models; those of the portal came by its migrations."""

import json
from typing import Any

import pytest
from django.db import connection

from tests.live.conftest import Portal

pytestmark = [pytest.mark.live, pytest.mark.django_db]


def tables() -> dict[str, Any]:
    """What the database says of all tables of models: columns, and what constrains them."""
    told = {}
    names = connection.introspection.django_table_names(only_existing=True)
    with connection.cursor() as cursor:
        for name in sorted(names):
            columns = connection.introspection.get_table_description(cursor, name)
            constraints = connection.introspection.get_constraints(cursor, name).values()
            told[name] = {
                "columns": sorted(repr(one) for one in columns),
                "constraints": sorted(repr(sorted(one.items())) for one in constraints),
            }
    return told


def test_the_migrations_end_with_the_tables_that_the_models_describe(portal: Portal) -> None:
    code = "import json; from tests.live.test_migrations import tables; print(json.dumps(tables()))"
    migrated, described = json.loads(portal.shell(code)), tables()
    assert migrated.keys() == described.keys()
    for name, table in described.items():
        assert migrated[name] == table
