"""Reads from a replica of the database, which may be a second old.

Requests that only read may use it, unless the same credentials wrote something in the last
seconds. Who somebody is and may do is always read from the primary: what is revoked ends at
once.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from controller.base.redis import quick_client
from controller.base.secrets import digest

log = logging.getLogger(__name__)

ALIAS = "replica"
READING = frozenset({"GET", "HEAD"})
# Apps whose rows decide who somebody is and may do.
IDENTITY = frozenset({"accounts", "account", "auth", "guardian", "sessions", "socialaccount"})
# Longer than a replica is behind before it is left alone.
OWN_WRITE_SECONDS = 5
MOST_BEHIND = 1.0
LOOK_EVERY = 2.0
# Seconds that the replica is behind; NULL if it has lost the primary.
BEHIND = """
    SELECT CASE
        WHEN NOT EXISTS (SELECT 1 FROM pg_stat_wal_receiver) THEN NULL
        WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
        ELSE extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())
    END
"""

_is_reading: ContextVar[bool] = ContextVar("reads_from_replica", default=False)


def read_alias() -> str:
    """Return the name of the database that a read of this moment uses.

    Inside a transaction it is the primary, which knows what the transaction wrote.
    """
    if not _is_reading.get() or connections[DEFAULT_DB_ALIAS].in_atomic_block:
        return DEFAULT_DB_ALIAS
    return ALIAS


class Router:
    """Django's database router: reads of requests that may be a second old use the replica."""

    def db_for_read(self, model: Any, **_hints: Any) -> str:
        return DEFAULT_DB_ALIAS if model._meta.app_label in IDENTITY else read_alias()

    def db_for_write(self, _model: Any, **_hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, *_rows: Any, **_hints: Any) -> bool:
        return True

    def allow_migrate(self, db: str, _app_label: str, **_hints: Any) -> bool | None:
        return False if db == ALIAS else None


class ReplicaReads:
    """Middleware that lets requests read from the replica, if there is one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.looked, self.is_near = -LOOK_EVERY, False

    def __call__(self, request: HttpRequest) -> HttpResponse:
        caller = caller_of(request) if settings.MUSTER_REPLICA_URL else ""
        if not caller:
            return self.get_response(request)
        if request.method not in READING:
            try:
                return self.get_response(request)
            finally:
                note_write(caller)
        if not self.is_usable() or wrote_lately(caller):
            return self.get_response(request)
        with reading():
            return self.get_response(request)

    def is_usable(self) -> bool:
        """Return whether the replica is hardly behind, as seen in the last seconds."""
        if time.monotonic() - self.looked > LOOK_EVERY:
            self.looked, self.is_near = time.monotonic(), is_near()
        return self.is_near


@contextmanager
def reading() -> Iterator[None]:
    token = _is_reading.set(True)
    try:
        yield
    finally:
        _is_reading.reset(token)


def is_near() -> bool:
    """Ask the replica how far it is behind. Returns False while it is away."""
    try:
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(BEHIND)
            (behind,) = cursor.fetchone()
    except (DatabaseError, InterfaceError) as error:
        log.warning("The replica is away, reads go to the primary: %s", error)
        connections[ALIAS].close()
        return False
    return behind is not None and behind <= MOST_BEHIND


def caller_of(request: HttpRequest) -> str:
    """Return a name for the credentials of a request; empty without any."""
    meta = request.META
    found = (
        meta.get("HTTP_AUTHORIZATION", ""),
        meta.get("HTTP_X_API_KEY", ""),
        request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""),
    )
    return f"muster:wrote:{digest('|'.join(found))}" if any(found) else ""


def note_write(caller: str) -> None:
    try:
        quick_client().set(caller, 1, ex=OWN_WRITE_SECONDS)
    except (RedisError, OSError) as error:
        log.warning("Redis is away, nothing is read from the replica: %s", error)


def wrote_lately(caller: str) -> bool:
    """Return whether these credentials wrote something lately, or whether nobody knows."""
    try:
        return bool(quick_client().exists(caller))
    except (RedisError, OSError):
        return True
