import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection

from controller.accounts.models import Organization
from controller.connections.models import Credentials
from tests import factories


def stored() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT params FROM connections_credentials")
        text: str = cursor.fetchone()[0]
    return text


def test_a_secret_is_readable_on_the_row_and_not_in_the_database(
    organization: Organization,
) -> None:
    factories.credentials(organization)
    assert Credentials.objects.get().params["password"] == "a secret password"
    assert "secret" not in stored()


def test_keys_are_rotated_without_losing_a_secret(
    organization: Organization, settings: object
) -> None:
    factories.credentials(organization)
    device = factories.device(organization, config={})
    old = settings.MUSTER_ENCRYPTION_KEYS  # type: ignore[attr-defined]
    before = stored()
    settings.MUSTER_ENCRYPTION_KEYS = ["a new key", *old]  # type: ignore[attr-defined]
    assert Credentials.objects.get().params["password"] == "a secret password"
    call_command("rotate_secrets", verbosity=0)
    assert stored() != before
    settings.MUSTER_ENCRYPTION_KEYS = ["a new key"]  # type: ignore[attr-defined]
    assert Credentials.objects.get().params["password"] == "a secret password"
    again = type(device).objects.get()
    assert again.key == device.key
    assert again.config.desired is not None
    assert again.config.desired.archive[:2] == b"\x1f\x8b"


def test_a_missing_key_is_told(organization: Organization, settings: object) -> None:
    factories.credentials(organization)
    settings.MUSTER_ENCRYPTION_KEYS = ["quite another key"]  # type: ignore[attr-defined]
    with pytest.raises(ImproperlyConfigured, match="MUSTER_ENCRYPTION_KEYS"):
        Credentials.objects.get()
