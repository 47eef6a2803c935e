"""Django's PostGIS backend, cheaper in two things that every request does."""

import select
from datetime import datetime, tzinfo
from typing import Any

from django.contrib.gis.db.backends.postgis import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader


def timestamps_in(zone: tzinfo | None) -> type[BaseTzLoader]:
    """How times are read that the server tells in a zone; Django's parses them in Python."""

    class Loader(BaseTzLoader):  # type: ignore[misc]
        timezone = zone

        def load(self, data: Any) -> datetime:
            try:
                return datetime.fromisoformat(str(data, "ascii")).replace(tzinfo=zone)
            except ValueError:  # before Christ, or for ever
                found: datetime = super().load(data)
                return found

    return Loader


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", timestamps_in(self.timezone))
        return connection

    def is_usable(self) -> bool:
        """Whether the server has left the connection open.

        Django asks with a query at the start of every request, which costs as much as the
        request's own. A server that has ended a connection has closed its side of it, and the
        socket tells so without asking.
        """
        if self.connection is None or self.connection.closed:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        # A connection that nothing was asked on has nothing to read but its end.
        return not socket.poll(0)
