"""PostGIS database backend with faster timestamps and connection checks."""

import select
from datetime import datetime, tzinfo
from typing import Any

from django.contrib.gis.db.backends.postgis import base
from django.db.backends.postgresql.psycopg_any import BaseTzLoader


def timestamps_in(zone: tzinfo | None) -> type[BaseTzLoader]:
    """Return a psycopg loader for timestamps; Django's parses them more slowly."""

    class Loader(BaseTzLoader):  # type: ignore[misc]
        timezone = zone

        def load(self, data: Any) -> datetime:
            try:
                return datetime.fromisoformat(str(data, "ascii")).replace(tzinfo=zone)
            except ValueError:  # before year 1, or infinity
                found: datetime = super().load(data)
                return found

    return Loader


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.adapters.register_loader("timestamptz", timestamps_in(self.timezone))
        return connection

    def is_usable(self) -> bool:
        """Return whether the server has kept the connection open, without a query.

        Django sends a query at the start of every request, which costs as much as the
        request's own.
        A server that has ended a connection has closed its socket, which then is readable.
        """
        if self.connection is None or self.connection.closed:
            return False
        socket = select.poll()
        socket.register(self.connection.fileno(), select.POLLIN)
        # An idle connection has nothing to read except its end.
        return not socket.poll(0)
