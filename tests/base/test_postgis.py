"""Persistent database connections: checked per request, reopened if lost."""

import psycopg
import pytest
from django.db import close_old_connections, connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite is a file"),
]


def backend() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid: int = cursor.fetchone()[0]
    return pid


def test_a_connection_that_lives_is_kept_without_a_query() -> None:
    first = backend()
    close_old_connections()
    assert connection.is_usable()
    assert backend() == first


def test_a_connection_that_its_server_ended_is_made_anew() -> None:
    first = backend()
    facts = connection.get_connection_params()
    own = {
        name: facts[name]
        for name in ("dbname", "user", "password", "host", "port")
        if name in facts
    }
    with psycopg.connect(**own, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    close_old_connections()
    assert not connection.is_usable()
    assert backend() != first
