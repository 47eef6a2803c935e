"""Numbered expectations of OpenWISP agents; 8, 33 and 51 to 55 are in tests/vpn."""

import asyncio
import hashlib
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import Organization
from controller.configs.models import Config, Push
from controller.configs.rules import devices as inventory
from controller.configs.rules import organization_settings
from controller.devices import rules as devices
from controller.devices.drivers import agent_cache
from controller.devices.models import Device, Presence
from controller.dialects.checksum_fast_path import ChecksumFastPath
from tests import factories

MAC = "02:AA:F4:09:E0:D0"
BACKEND = "netjsonconfig.OpenWrt"


def told(organization: Organization, **more: str) -> dict[str, str]:
    return {
        "secret": factories.shared_secret(organization), "name": "roof", "mac_address": MAC,
        "backend": BACKEND,
    } | more  # fmt: skip


def register(client: Client, organization: Organization, **more: str) -> Any:
    return client.post("/controller/register/", told(organization, **more))


def lines(answer: Any) -> dict[str, str]:
    return dict(line.split(": ") for line in answer.content.decode().splitlines())


def key_of(organization: Organization, base: str = MAC) -> str:
    text = f"{base}+{factories.shared_secret(organization)}"
    return hashlib.md5(text.encode()).hexdigest()


def settle(organization: Organization, **values: Any) -> None:
    organization_settings.update_settings(devices.settings_of(organization), **values)


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(
        organization, name="roof", config={"config": factories.a_file("x\n")}
    )


def get(client: Client, verb: str, device: Any, **query: str) -> Any:
    pk = device.pk.hex if isinstance(device, Device) else device
    return client.get(f"/controller/{verb}/{pk}/", query)


def report(client: Client, device: Device, **more: str) -> Any:
    return client.post(
        f"/controller/report-status/{device.pk.hex}/", {"key": device.key} | more
    )


def status(device: Device) -> str:
    return str(Config.objects.values_list("status", flat=True).get(device=device))


def test_01_a_known_device_gets_its_checksum_and_is_seen(
    client: Client, device: Device
) -> None:
    answer = get(client, "checksum", device, key=device.key)

    assert answer.status_code == 200
    assert answer["X-Openwisp-Controller"] == "true"
    archive = get(client, "download-config", device, key=device.key)
    assert hashlib.md5(archive.content).hexdigest() == answer.content.decode()


def test_02_a_management_address_is_kept_until_it_is_told_no_more(
    client: Client, device: Device
) -> None:
    get(client, "download-config", device, key=device.key)
    get(client, "checksum", device, key=device.key, management_ip="10.0.0.7")
    device.refresh_from_db()
    assert device.management_ip == "10.0.0.7"
    get(client, "checksum", device, key=device.key)
    device.refresh_from_db()
    assert device.management_ip is None


@pytest.mark.parametrize("verb", ["checksum", "download-config"])
def test_03_04_05_06_who_asks_wrongly_is_told_with_the_header(
    client: Client, device: Device, verb: str
) -> None:
    answers = {
        400: get(client, verb, device),
        403: get(client, verb, device, key="wrong"),
        404: get(client, verb, "not-a-uuid", key=device.key),
        405: client.post(f"/controller/{verb}/{device.pk.hex}/", {"key": device.key}),
    }
    for code, answer in answers.items():
        assert answer.status_code == code
        assert answer["X-Openwisp-Controller"] == "true"
    assert get(client, verb, uuid4().hex, key="any").status_code == 404


def test_07_a_device_without_configuration_has_nothing_to_fetch(
    client: Client, organization: Organization
) -> None:
    device = factories.device(organization)
    assert get(client, "checksum", device, key=device.key).status_code == 404
    assert get(client, "download-config", device, key=device.key).status_code == 404
    assert report(client, device, status="applied").status_code == 404


def test_08_devices_of_an_inactive_organization_are_not_there(
    client: Client, organization: Organization, device: Device
) -> None:
    Organization.objects.filter(pk=organization.pk).update(is_active=False)
    assert get(client, "checksum", device, key=device.key).status_code == 404
    assert get(client, "download-config", device, key=device.key).status_code == 404
    assert report(client, device, status="applied").status_code == 404
    info = {"key": device.key, "model": "m", "os": "o", "system": "s"}
    assert client.post(f"/controller/update-info/{device.pk.hex}/", info).status_code == 404


def test_09_a_checksum_is_there_until_the_device_is_deactivated(
    client: Client, device: Device
) -> None:
    assert status(device) == "modified"
    assert get(client, "checksum", device, key=device.key).status_code == 200
    inventory.deactivate(device)
    assert status(device) == "deactivating"
    assert get(client, "checksum", device, key=device.key).status_code == 200
    report(client, device, status="applied")
    assert get(client, "checksum", device, key=device.key).status_code == 404


async def nobody(*_: Any) -> None:
    raise AssertionError("Django was asked")


def test_10_the_second_poll_asks_the_database_nothing() -> None:
    pk = uuid4()
    agent_cache.publish([agent_cache.Record(pk, "the-key", "c" * 32, "10.0.0.7")])
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": f"/controller/checksum/{pk.hex}/",
        "query_string": b"key=the-key&management_ip=10.0.0.7", "client": ("192.0.2.7", 1),
    }  # fmt: skip
    asyncio.run(ChecksumFastPath(nobody)(scope, nobody, send))
    assert sent[1]["body"] == b"c" * 32


def test_11_of_two_that_claim_a_management_address_the_later_has_it(
    client: Client, organization: Organization, device: Device
) -> None:
    second = factories.device(organization, config={"config": factories.a_file("x\n")})
    other = factories.device(
        factories.organization(), config={"config": factories.a_file("x\n")}
    )
    for one in (other, device, second):
        get(client, "checksum", one, key=one.key, management_ip="10.0.0.7")
    found = Device.objects.in_bulk([device.pk, second.pk, other.pk])
    assert found[second.pk].management_ip == "10.0.0.7"
    assert found[device.pk].management_ip is None
    assert found[other.pk].management_ip == "10.0.0.7"


@pytest.mark.parametrize(
    ("address", "kept"), [("93.184.216.34", "93.184.216.34"), ("192.168.1.7", None)]
)
def test_12_a_public_last_address_may_be_shared_and_a_private_one_may_not(
    organization: Organization, device: Device, address: str, kept: str | None
) -> None:
    second = factories.device(organization)
    devices.record_last_seen({device.pk: (timezone.now(), address)})
    devices.record_last_seen({second.pk: (timezone.now(), address)})
    assert Presence.objects.get(device=second).last_ip == address
    assert Presence.objects.get(device=device).last_ip == kept


def test_13_a_new_device_registers(client: Client, organization: Organization) -> None:
    answer = register(client, organization)
    assert answer.status_code == 201
    found = lines(answer)
    assert list(found) == ["registration-result", "uuid", "key", "hostname", "is-new"]
    assert found["is-new"] == "1"


def test_14_the_same_key_is_the_same_device_and_its_name_stays(
    client: Client, organization: Organization
) -> None:
    first = lines(register(client, organization, key=key_of(organization)))
    again = register(client, organization, key=key_of(organization), name=MAC)
    assert again.status_code == 201
    assert lines(again) == first | {"is-new": "0"}


def test_15_another_hostname_renames_it_without_a_push(
    client: Client, organization: Organization
) -> None:
    register(client, organization, key=key_of(organization))
    again = register(client, organization, key=key_of(organization), name="cellar")
    assert lines(again)["hostname"] == "cellar"
    assert Device.objects.get().name == "cellar"
    assert not Push.objects.exists()


def test_16_a_device_without_configuration_gets_one(
    client: Client, organization: Organization
) -> None:
    device = factories.device(organization, mac_address=MAC)
    register(client, organization, key=device.key)
    assert Config.objects.filter(device=device).exists()


def test_17_without_consistent_keys_the_portal_makes_another(
    client: Client, organization: Organization
) -> None:
    settle(organization, consistent_keys=False)
    sent = key_of(organization)
    found = lines(register(client, organization, key=sent))
    assert found["key"] != sent
    assert lines(register(client, organization, key=found["key"]))["uuid"] == found["uuid"]


def test_18_without_self_creation_only_who_was_added_registers(
    client: Client, organization: Organization
) -> None:
    settle(organization, self_creation=False)
    key = key_of(organization, "serial-1")
    asked = {"key": key, "hardware_id": "serial-1"}
    assert register(client, organization, **asked).status_code == 404
    assert not Device.objects.exists()
    added = factories.device(organization, mac_address=MAC, hardware_id="serial-1")
    answer = register(client, organization, **asked)
    assert answer.status_code == 201
    assert lines(answer)["uuid"] == added.pk.hex


def test_18_a_serial_number_does_not_open_a_device_with_a_key_of_its_own(
    client: Client, organization: Organization
) -> None:
    factories.device(organization, mac_address=MAC, hardware_id="serial-1", key="a-random-key")
    asked = {"key": key_of(organization, "serial-1"), "hardware_id": "serial-1"}
    assert register(client, organization, **asked).status_code == 400


def test_19_an_organization_in_the_request_is_ignored(
    client: Client, organization: Organization
) -> None:
    other = factories.organization()
    theirs = {"organization": str(other.pk), "organization_id": str(other.pk)}
    client.post("/controller/register/", told(organization) | theirs)
    assert Device.objects.get().organization == organization


def test_20_beyond_the_limit_nothing_is_created(
    client: Client, organization: Organization, device: Device
) -> None:
    settle(organization, device_limit=1)
    answer = register(client, organization, name="other")
    assert answer.status_code == 400
    assert str(organization) in answer.content.decode()
    assert Device.objects.count() == 1


def test_21_a_known_address_without_its_key_is_refused(
    client: Client, organization: Organization
) -> None:
    factories.device(organization, mac_address=MAC, key="a-random-key")
    answer = register(client, organization)
    assert answer.status_code == 400
    assert "already exists" in answer.content.decode()


def test_22_an_unknown_backend_is_refused(client: Client, organization: Organization) -> None:
    assert register(client, organization, backend="netjsonconfig.Other").status_code == 403


def test_23_a_configuration_that_cannot_be_rendered_leaves_no_device(
    client: Client, organization: Organization
) -> None:
    answer = register(client, organization, name="a")
    assert answer.status_code == 400
    assert not Device.objects.exists()


def test_24_a_tag_brings_the_templates_that_have_it(
    client: Client, organization: Organization
) -> None:
    wanted = {
        factories.template(organization, tags=["mesh", "roof"]).name,
        factories.template(None, tags=["mesh"]).name,
    }
    factories.template(organization, tags=["other"])
    factories.template(factories.organization(), tags=["mesh"])
    register(client, organization, tags="mesh")
    assert {use.template.name for use in Config.objects.get().uses.all()} == wanted


def test_25_default_templates_of_another_backend_are_not_added(
    client: Client, organization: Organization
) -> None:
    factories.template(organization, default=True, backend="netjsonconfig.OpenWisp")
    mine = factories.template(organization, default=True)
    register(client, organization)
    assert [use.template for use in Config.objects.get().uses.all()] == [mine]


def test_26_with_registration_off_nobody_registers(
    client: Client, organization: Organization
) -> None:
    settle(organization, registration_enabled=False)
    answer = register(client, organization)
    assert (answer.status_code, answer.content) == (403, b"error: registration disabled\n")


def test_27_a_deactivated_device_registers_no_more(
    client: Client, organization: Organization
) -> None:
    pk = lines(register(client, organization, key=key_of(organization)))["uuid"]
    device = Device.objects.get(pk=UUID(pk))
    inventory.deactivate(device)
    answer = register(client, organization, key=key_of(organization), name="other", os="new")
    assert answer.status_code == 403
    device.refresh_from_db()
    assert (device.name, device.os) == ("roof", "")


def test_28_what_is_reported_applied_is_applied(client: Client, device: Device) -> None:
    get(client, "download-config", device, key=device.key)
    answer = report(client, device, status="applied")
    assert answer.status_code == 200
    assert answer.content == b"report-result: success\ncurrent-status: applied\n"
    assert status(device) == "applied"


def test_29_an_error_is_kept_with_its_reason(client: Client, device: Device) -> None:
    get(client, "download-config", device, key=device.key)
    report(client, device, status="error", error_reason="uci said no")
    assert status(device) == "error"
    assert Config.objects.get().error_reason == "uci said no"


def test_30_an_unknown_status_is_refused_and_a_missing_one_named(
    client: Client, device: Device
) -> None:
    assert report(client, device, status="perfect").status_code == 403
    answer = report(client, device)
    assert answer.status_code == 400
    assert b'missing required parameter "status"' in answer.content


def test_31_a_device_that_took_its_emptied_configuration_is_deactivated(
    client: Client, device: Device
) -> None:
    inventory.deactivate(device)
    assert status(device) == "deactivating"
    report(client, device, status="applied")
    assert status(device) == "deactivated"


def test_32_told_facts_are_kept_where_empty_and_refused_where_bad(
    client: Client, device: Device
) -> None:
    def tell(**facts: str) -> int:
        told = {"key": device.key, "model": "", "os": "", "system": ""} | facts
        url = f"/controller/update-info/{device.pk.hex}/"
        return int(client.post(url, told).status_code)

    assert tell(model="TP-Link C7", os="OpenWrt") == 200
    assert tell(model="", os="OpenWrt 24") == 200
    device.refresh_from_db()
    assert (device.model, device.os) == ("TP-Link C7", "OpenWrt 24")
    assert tell(model="x" * 65) == 400
    inventory.deactivate(device)
    assert tell(model="other") == 403
    report(client, device, status="applied")
    assert tell(model="other") == 404
