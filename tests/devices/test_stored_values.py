"""What an older release stored in other spellings, and what the migration makes of it."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection

from controller.accounts.models import Organization, User
from controller.devices.models import Device
from tests import factories

pytestmark = pytest.mark.django_db
MIGRATION = "controller.devices.migrations.0008_canonical_values"


def store(device: Device, spelling: str) -> None:
    """Write a spelling that fields no longer write."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE devices_device SET mac_address = %s WHERE id = %s",
            [spelling, device.pk if connection.vendor == "postgresql" else device.pk.hex],
        )


def stored() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, mac_address FROM devices_device")
        return dict(cursor.fetchall())


def migrate() -> None:
    import_module(MIGRATION).make_canonical(apps, None)


def test_each_old_spelling_becomes_the_usual_one(organization: Organization) -> None:
    spellings = ("52:54:00:ed:a6:01", "52-54-00-ED-A6-02", "5254.00ed.a603", "525400eda604")
    for spelling in spellings:
        store(factories.device(organization, name=spelling.replace(":", "-")), spelling)
    store(factories.device(organization, name="broken"), "none at all")
    migrate()
    found = stored()
    assert found.pop("broken") == "none at all"
    assert sorted(found.values()) == [f"52:54:00:ED:A6:0{at}" for at in range(1, 5)]
    migrate()
    assert sorted(stored().values())[:4] == sorted(found.values())


def test_two_rows_of_one_interface_both_stay_and_a_person_is_told(
    organization: Organization, api: Any, admin: User, caplog: Any
) -> None:
    for name, spelling in (("first", "52-54-00-ED-A6-05"), ("second", "525400eda605")):
        store(factories.device(organization, name=name), spelling)
    elsewhere = factories.device(factories.organization(), name="elsewhere")
    store(elsewhere, "52-54-00-ed-a6-05")
    migrate()
    assert set(stored()) == {"first", "second", "elsewhere"}
    assert stored()["elsewhere"] == "52:54:00:ED:A6:05"
    assert "Delete one of them" in caplog.text
    twin = Device.objects.get(name="second")
    path = f"/api/v1/controller/device/{twin.pk}/"
    client = api(admin)
    assert client.get(path).json()["mac_address"] == "52:54:00:ED:A6:05"
    assert client.patch(path, {"notes": "x"}, format="json").status_code == 200
    # A person gives it the address that it really has, or deletes it.
    other = {"mac_address": "52:54:00:ED:A6:06", "notes": "x"}
    assert client.patch(path, other, format="json").status_code == 200
    assert client.delete(f"{path}?force=true").status_code in {204, 403}
