import traceback
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from django.core.cache import cache
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.test import override_settings
from rest_framework.test import APIClient

import tests.plugins.truncation  # noqa: F401 - takes its place
from controller.accounts.models import Organization, User
from controller.base.outbound import transactions
from controller.base.outbound.kinds import LOOPBACK
from controller.base.redis import quick_client
from tests import factories
from tests.document import misfit_of

# No deadline: the speed of a property test depends on the machine.
hypothesis.settings.register_profile(
    "muster", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("muster")


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    quick_client().flushall()
    cache.clear()


@pytest.fixture(autouse=True)
def _quick_passwords(settings: Any) -> None:
    # A fast hasher: slow hashing would dominate the run time of the tests.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _fleet_may_be_reached(settings: Any) -> None:
    """Stand-ins are on loopback, which no usual setting opens."""
    for name in ("DEVICE", "MANAGEMENT", "GATEWAY", "VPN", "ACME"):
        setattr(settings, f"MUSTER_{name}_NETWORKS", ["private", "internet", *LOOPBACK])


@pytest.fixture(autouse=True)
def asked_inside_transactions(monkeypatch: Any) -> Iterator[list[str]]:
    """Return what was asked inside a transaction; the test fails if anything is left in it."""
    found: list[str] = []

    def report(message: str) -> None:
        found.append(message + "".join(traceback.format_stack()[-40:-2]))

    monkeypatch.setattr(transactions, "reporters", [report])
    yield found
    assert not found, found[0]


@pytest.fixture(autouse=True)
def _static_files_as_they_are(settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """Create the tables from the models, as migrations take long per process.

    The migrations are marked as applied; tests/test_migrations.py compares their tables.
    """
    with django_db_blocker.unblock(), override_settings(MIGRATION_MODULES={}):
        recorder = MigrationRecorder(connection)
        recorder.ensure_schema()
        known = MigrationLoader(None).disk_migrations
        rows = [recorder.Migration(app=app, name=name) for app, name in known]
        recorder.migration_qs.bulk_create(rows)


@pytest.fixture
def organization(db: Any) -> Organization:
    return factories.organization()


@pytest.fixture
def admin(db: Any) -> User:
    return factories.superuser()


class ConformingClient(APIClient):
    def request(self, **kwargs: Any) -> Any:
        answer = super().request(**kwargs)
        method, path = kwargs["REQUEST_METHOD"], kwargs["PATH_INFO"]
        problem = misfit_of(method, path, answer)
        assert not problem, f"{method} {path} {answer.status_code}: {problem}"
        return answer


@pytest.fixture
def api() -> Callable[[User | None], APIClient]:
    """Return an API client authenticated as this user by a token.

    Each JSON answer that it gets has the shape that the OpenAPI document tells.
    """

    def client(user: User | None) -> APIClient:
        made = ConformingClient()
        if user is not None:
            made.credentials(HTTP_AUTHORIZATION=factories.bearer(user)["Authorization"])
        return made

    return client
