"""Django's PostGIS backend, with a cheaper look at whether a kept connection is still there."""

import select

from django.contrib.gis.db.backends.postgis import base


class DatabaseWrapper(base.DatabaseWrapper):
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
