"""Django's SpatiaLite backend, with the busy timeout of the settings."""

from typing import Any

from django.contrib.gis.db.backends.spatialite import base


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        # Loading the extension overwrites SQLite's busy timeout.
        milliseconds = round(float(conn_params.get("timeout", 5.0)) * 1000)
        connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
        return connection
