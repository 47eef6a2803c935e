"""Chromium against a live portal; any console error fails the test."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Browser, Page

from controller.accounts.models import User
from tests.chromium import chromium

__all__ = ["chromium"]


class Watched:
    """A page and its errors: console, CSP violations, requests to other hosts."""

    def __init__(self, page: Page, home: str) -> None:
        self.page, self.home = page, home
        self.complaints: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: Any) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console: {message.text}")

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.home, "data:", "blob:")):
            self.complaints.append(f"asks elsewhere: {request.url}")

    def _response(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def open(self, path: str) -> Page:
        self.page.goto(self.home + path)
        self.page.wait_for_load_state("networkidle")
        return self.page


@pytest.fixture
def browse(live_server: Any, chromium: Browser) -> Iterator[Callable[..., Watched]]:
    """Open a browser for a user: ``browse(user, width=390, scheme="dark")``."""
    opened: list[Watched] = []
    contexts: list[Any] = []

    def start(user: User | None = None, width: int = 1440, scheme: Any = "light") -> Watched:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme
        )
        contexts.append(context)
        if user is not None:
            client = Client()
            client.force_login(user)
            cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
            context.add_cookies(
                [{"name": "sessionid", "value": cookie, "url": live_server.url}]
            )
        opened.append(Watched(context.new_page(), live_server.url))
        return opened[-1]

    yield start
    for context in contexts:
        context.close()
    assert [line for watched in opened for line in watched.complaints] == []
