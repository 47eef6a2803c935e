from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.devices.drivers import agent_cache
from tests import make

# Machines differ in speed; what a property test costs is no property of the code.
hypothesis.settings.register_profile(
    "muster", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("muster")


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    agent_cache.client().flushall()
    cache.clear()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    # Hashing that takes its time is the point in production, and most of a test's time here.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _static_files_as_they_are(settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture
def organization(db: Any) -> Organization:
    return make.organization()


@pytest.fixture
def admin(db: Any) -> User:
    return make.superuser()


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    """A client of the API that speaks for this user, with a token as programs do."""

    def client(user: User | None) -> APIClient:
        made = APIClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=make.bearer(user)["Authorization"])
        return made

    return client


# A page that is right is right at once; this is for machines that are busy with something else.
PATIENCE_MS = 30_000
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    # One for all tests of a process: its driver can be started but once there.
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()
