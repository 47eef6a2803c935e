"""Database connections of threads that wait for other machines."""

from django.db import connections


def release_connections() -> None:
    """Close this thread's idle database connections before it waits for another machine.

    The next query opens a new connection. A connection with an open transaction stays.
    """
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()
