"""Base class of all WebSocket consumers, and their authentication."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

from channels.db import database_sync_to_async
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.auth import get_user
from django.db import DatabaseError
from django.http import HttpRequest, parse_cookie
from redis.exceptions import RedisError

from controller.accounts.models import User
from controller.accounts.rules.api_keys import authenticate_key
from controller.accounts.rules.sessions import authenticate_access_token
from controller.base.request_context import (
    RequestContext,
    current_context,
    id_for,
    new_id,
    use_context,
)
from controller.dialects.authentication import user_of_bearer
from controller.dialects.cookies import ACCESS_COOKIE
from controller.dialects.rate_limit import limiter

# Private close codes; 4401 and 4403 correspond to HTTP 401 and 403.
NOT_SIGNED_IN, NOT_PERMITTED, TOO_SLOW, BAD_MESSAGE = 4401, 4403, 4408, 4400
SECONDS_TO_SIGN_IN = 10
# Interval at which listeners' permissions are checked again.
CHECK_SECONDS = 15
# Checks that may fail in a row, because the database or Redis is away, before a socket is closed.
MOST_FAILURES = 4
TRY_AGAIN = 1013
LONGEST_MESSAGE = 64 * 1024

log = logging.getLogger(__name__)

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Consumer(AsyncWebsocketConsumer):
    """WebSocket of an authenticated user who has ``permission`` somewhere.

    API clients authenticate with an ``Authorization`` or ``X-API-Key`` header; clients that
    cannot
    send headers, with a first message ``{"type": "auth", "token": "…"}`` (or ``"key"``);
    never in
    the URL, which ends up in logs. Pages authenticate with their cookies, and only pages of
    this
    portal. A socket whose session, token or key expires is closed within seconds.

    Derived classes implement ``on_open``, ``on_message`` and ``on_close``.
    """

    permission = ""
    user: User

    async def __call__(self, scope: Any, receive: Any, send: Any) -> Any:
        self.headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        given = self.headers.get("x-request-id", "")
        client = scope.get("client") or ("",)
        trace = RequestContext(id_for(given) if given else new_id(), client[0] or "")
        with use_context(trace):
            return await super().__call__(scope, receive, send)

    # --- for derived classes

    async def on_open(self) -> None:
        """Handle a client that was authenticated and authorized."""

    async def on_message(self, message: dict[str, Any]) -> None:
        """Handle a JSON object."""

    async def on_bytes(self, data: bytes) -> None:
        """Handle a binary message; by default it is refused."""
        await self.refuse(BAD_MESSAGE, "Text is expected.")

    async def on_close(self) -> None:
        """Handle the end of the connection, by either side."""

    async def send_event(self, message: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps(message))

    async def refuse(self, code: int, sentence: str) -> None:
        """Send an error and close the socket."""
        await self.send_event({"type": "error", "code": code, "message": sentence})
        await self.close(code, reason=sentence[:100])

    async def is_still_authorized(self) -> bool:
        """Return whether the user, reloaded every few seconds, may keep this socket."""
        return not self.permission or self.user.has_perm_anywhere(self.permission)

    # --- implementation

    is_open = False
    watching: "asyncio.Task[None] | None" = None

    async def connect(self) -> None:
        if not await self.within_rate_limit() or not (
            self.is_own_page() or not self.has_cookies()
        ):
            await self.close(NOT_PERMITTED)
            return
        await self.accept()
        self.credentials = self.given_credentials()
        if self.credentials:
            await self.sign_in()
        else:
            self.watching = asyncio.create_task(self.wait_for_sign_in())

    async def within_rate_limit(self) -> bool:
        """Count the connection; return whether the address is within its rate limit."""
        limit = settings.MUSTER_REQUESTS_PER_MINUTE
        ask = database_sync_to_async(limiter().hit)
        verdict = await ask(f"socket:{current_context().address}", limit)
        return verdict is None or verdict.allowed

    def has_cookies(self) -> bool:
        cookies = parse_cookie(self.headers.get("cookie", ""))
        return bool(cookies.keys() & {ACCESS_COOKIE, settings.SESSION_COOKIE_NAME})

    def is_own_page(self) -> bool:
        """Return whether the Origin header names this portal or a trusted origin.

        Browsers send the header with every WebSocket, API clients do not.
        """
        origin = self.headers.get("origin", "")
        own = urlsplit(origin).netloc == self.headers.get("host", "")
        return bool(origin) and (own or origin in settings.CSRF_TRUSTED_ORIGINS)

    def given_credentials(self) -> dict[str, str]:
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() in {"bearer", "token"} and token:
            return {"token": token.strip()}
        cookies = parse_cookie(self.headers.get("cookie", ""))
        found = {
            "access": cookies.get(ACCESS_COOKIE, ""),
            "browser": cookies.get(settings.SESSION_COOKIE_NAME, ""),
            "key": self.headers.get("x-api-key", ""),
        }
        return {name: value for name, value in found.items() if value}

    async def wait_for_sign_in(self) -> None:
        await asyncio.sleep(SECONDS_TO_SIGN_IN)
        await self.refuse(NOT_SIGNED_IN, "Sign in with a header or a first message.")

    async def sign_in(self) -> None:
        user, channel = await user_of(self.credentials)
        if self.watching is not None:
            self.watching.cancel()
        if user is None:
            await self.refuse(NOT_SIGNED_IN, "Invalid credentials.")
            return
        self.user = user
        current_context().name(user, channel)
        if not await self.is_still_authorized():
            sentence = f"Permission denied: requires '{self.permission}'"
            await self.refuse(NOT_PERMITTED, sentence)
            return
        self.is_open = True
        self.watching = asyncio.create_task(self.watch())
        await self.on_open()

    async def watch(self) -> None:
        await keep_checking(self, self.check)

    async def check(self) -> bool:
        """Look whether the socket may stay open; close it otherwise."""
        user, _ = await user_of(self.credentials)
        if user is None:
            await self.refuse(NOT_SIGNED_IN, "The session has ended.")
            return False
        self.user = user
        if not await self.is_still_authorized():
            await self.refuse(NOT_PERMITTED, "This is no longer permitted.")
            return False
        return True

    async def receive(
        self, text_data: str | None = None, bytes_data: bytes | None = None
    ) -> None:
        if max(len(text_data or ""), len(bytes_data or b"")) > LONGEST_MESSAGE:
            await self.refuse(BAD_MESSAGE, "The message is too long.")
        elif text_data is None:
            await (self.on_bytes(bytes_data or b"") if self.is_open else self.no_object())
        else:
            await self.receive_text(text_data)

    async def receive_text(self, text: str) -> None:
        message = None
        with suppress(ValueError, RecursionError):
            message = json.loads(text)
        if not isinstance(message, dict):
            await self.no_object()
        elif self.is_open:
            await self.on_message(message)
        elif message.get("type") == "auth":
            self.credentials = {
                name: value
                for name in ("token", "key")
                if isinstance(value := message.get(name), str)
            }
            await self.sign_in()
        else:
            await self.refuse(NOT_SIGNED_IN, "The first message signs in.")

    async def no_object(self) -> None:
        await self.refuse(BAD_MESSAGE, "A JSON object is expected.")

    async def disconnect(self, code: int) -> None:
        if self.watching is not None:
            self.watching.cancel()
        if self.is_open:
            self.is_open = False
            await self.on_close()


async def keep_checking(socket: Consumer, check: Callable[[], Awaitable[bool]]) -> None:
    """Check every few seconds whether a socket may stay, until it may not.

    A database or Redis that is away for a moment ends no check for good; a socket that cannot be
    checked for longer is closed.
    """
    failures = 0
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            if not await check():
                return
            failures = 0
        except (DatabaseError, RedisError, OSError) as error:
            failures += 1
            log.warning("A socket could not be checked: %s", error)
            if failures >= MOST_FAILURES:
                await socket.close(TRY_AGAIN, reason="It cannot be checked who you are.")
                return


async def user_of(credentials: dict[str, str]) -> tuple[User | None, str]:
    """Return the user and the channel for these credentials, with access rights loaded."""
    found: tuple[User | None, str] = await database_sync_to_async(read_user)(credentials)
    return found


def read_user(credentials: dict[str, str]) -> tuple[User | None, str]:
    user, channel = _user_of(credentials)
    if user is not None and user.may_sign_in:
        # Evaluated here, because consumers cannot run queries.
        _ = user.access_by_organization, user.group_permissions
        return user, channel
    return None, ""


def _user_of(credentials: dict[str, str]) -> tuple[User | None, str]:
    if token := credentials.get("token"):
        found = user_of_bearer(token)
        return (found[0], found[1].kind) if found else (None, "")
    if session := authenticate_access_token(credentials.get("access", "")):
        return session.user, "session"
    if browser := credentials.get("browser"):
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(browser)
        user = get_user(request)
        if isinstance(user, User):
            return user, "browser"
    return authenticate_key(credentials.get("key", "")), "key"


class NoSuchSocket(AsyncWebsocketConsumer):
    """Consumer that refuses the handshake for paths without a route."""

    async def connect(self) -> None:
        await self.close()

    async def disconnect(self, code: int) -> None:
        raise StopConsumer
