"""Requests of the openwisp-config agent, in its order and format."""

import hashlib
import io
import tarfile
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.configs.models import Config
from controller.devices.models import Device
from tests import factories

MAC = "02:AA:F4:09:E0:C0"


@pytest.fixture
def registered(client: Client, organization: Organization) -> dict[str, str]:
    factories.template(organization, default=True)
    return register(client, organization)


def register(client: Client, organization: Organization, **told: str) -> dict[str, str]:
    secret = factories.shared_secret(organization)
    key = hashlib.md5(f"{MAC}+{secret}".encode()).hexdigest()
    answer = client.post(
        "/controller/register/",
        {
            "backend": "netjsonconfig.OpenWrt",
            "key": key,
            "secret": secret,
            "name": MAC,
            "hardware_id": "",
            "mac_address": MAC,
            "tags": "uci: Entry not found",
            "model": "TP-Link C7",
            "os": "OpenWrt 23.05.3 r23809",
            "system": "QCA956X",
        }
        | told,
    )
    assert answer.status_code == 201, answer.content
    assert answer["X-Openwisp-Controller"] == "true"
    assert answer["Content-Type"] == "text/plain"
    return dict(line.split(": ") for line in answer.content.decode().splitlines())


def test_an_agent_gets_from_registration_to_applied(
    client: Client, registered: dict[str, str]
) -> None:
    assert list(registered) == ["registration-result", "uuid", "key", "hostname", "is-new"]
    assert registered["is-new"] == "1"
    uuid, key = registered["uuid"], registered["key"]
    checksum = client.get(f"/controller/checksum/{uuid}/", {"key": key}).content.decode()
    archive = client.get(f"/controller/download-config/{uuid}/", {"key": key})
    assert hashlib.md5(archive.content).hexdigest() == checksum
    names = tarfile.open(fileobj=io.BytesIO(archive.content)).getnames()
    assert "etc/motd" in names
    assert "etc/config/system" in names
    report = client.post(
        f"/controller/report-status/{uuid}/", {"key": key, "status": "applied"}
    )
    assert report.content == b"report-result: success\ncurrent-status: applied\n"
    assert Config.objects.get().status == "applied"
    told = client.post(f"/controller/update-info/{uuid}/", {"key": key, "os": "OpenWrt 24.10"})
    assert told.content == b"update-info: success"
    assert Device.objects.get().os == "OpenWrt 24.10"


def test_the_second_registration_finds_the_same_device(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    again = register(client, organization, os="OpenWrt 24.10")
    assert again["uuid"] == registered["uuid"]
    assert again["is-new"] == "0"
    assert Device.objects.get().os == "OpenWrt 24.10"


def test_another_organizations_secret_does_not_open_a_known_key(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    other = factories.organization()
    answer = client.post(
        "/controller/register/",
        {
            "secret": factories.shared_secret(other),
            "key": registered["key"],
            "name": "taken-over",
            "mac_address": MAC,
            "backend": "netjsonconfig.OpenWrt",
        },
    )
    assert answer.status_code == 400
    assert Device.objects.get().organization == organization


@pytest.mark.parametrize("missing", ["secret", "name", "mac_address", "backend"])
def test_a_missing_parameter_is_named(
    client: Client, organization: Organization, missing: str
) -> None:
    form = {"secret": "x", "name": "x", "mac_address": MAC, "backend": "netjsonconfig.OpenWrt"}
    del form[missing]
    answer = client.post("/controller/register/", form)
    assert answer.status_code == 400
    assert answer.content.decode() == f'error: missing required parameter "{missing}"\n'


@pytest.mark.parametrize(
    ("changes", "status", "body"),
    [
        ({"secret": "wrong"}, 403, "error: unrecognized secret\n"),
        ({"backend": "foo"}, 403, "error: wrong backend\n"),
        ({"name": "bad name!", "mac_address": "zz"}, 400, "Must be either"),
        ({"mac_address": "02:00:00:00:ff:02", "name": "a\x00b"}, 201, "hostname: ab"),
        ({"model": "m" * 100}, 400, "at most 64 characters"),
        ({"management_ip": "not-an-ip"}, 400, "valid IPv4 or IPv6"),
        ({"group": str(uuid4()), "config": "x", "id": str(uuid4())}, 201, "is-new: 1"),
        ({"notes": "n", "_is_deactivated": "True", "created": "zzz"}, 201, "is-new: 1"),
    ],
)
def test_no_input_of_a_registration_breaks_it(
    client: Client, organization: Organization, changes: dict[str, str], status: int, body: str
) -> None:
    form = {
        "secret": factories.shared_secret(organization),
        "name": "probe",
        "mac_address": "02:00:00:00:ff:01",
        "backend": "netjsonconfig.OpenWrt",
    }
    answer = client.post("/controller/register/", form | changes)
    assert answer.status_code == status, answer.content
    assert body in answer.content.decode()
    assert answer["X-Openwisp-Controller"] == "true"
    if status == 201:
        device = Device.objects.get()
        assert (device.notes, device.is_deactivated, device.group) == ("", False, None)
    else:
        assert not Device.objects.exists()


@pytest.mark.parametrize("verb", ["checksum", "download-config"])
def test_the_key_opens_and_nothing_else_does(
    client: Client, registered: dict[str, str], verb: str
) -> None:
    url = f"/controller/{verb}/{registered['uuid']}/"
    cases: list[tuple[str, dict[str, Any], int]] = [
        (url, {}, 400),
        (url, {"key": "wrong"}, 403),
        (f"/controller/{verb}/{uuid4().hex}/", {"key": registered["key"]}, 404),
        (f"/controller/{verb}/not-a-uuid/", {"key": registered["key"]}, 404),
        (f"/controller/device/{verb}/{registered['uuid']}/", {"key": registered["key"]}, 200),
    ]
    for path, query, status in cases:
        answer = client.get(path, query)
        assert answer.status_code == status, path
        assert answer["X-Openwisp-Controller"] == "true"
        assert client.head(path, query).status_code == status
    assert client.post(url, {"key": registered["key"]}).status_code == 405


def test_a_late_report_does_not_count_for_a_newer_configuration(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    uuid, key = registered["uuid"], registered["key"]
    client.get(f"/controller/download-config/{uuid}/", {"key": key})
    device = Device.objects.get()
    from controller.configs.rules.devices import update_device

    update_device(device, config={"config": factories.a_file("newer", "etc/newer")})
    report = client.post(
        f"/controller/report-status/{uuid}/", {"key": key, "status": "applied"}
    )
    assert report.content.endswith(b"current-status: modified\n")
    client.get(f"/controller/download-config/{uuid}/", {"key": key})
    report = client.post(
        f"/controller/report-status/{uuid}/", {"key": key, "status": "applied"}
    )
    assert report.content.endswith(b"current-status: applied\n")


def test_a_report_of_what_is_known_costs_one_query(
    registered: dict[str, str], client: Any
) -> None:
    url = f"/controller/report-status/{registered['uuid']}/"
    told = {"key": registered["key"], "status": "applied"}
    client.get(f"/controller/download-config/{registered['uuid']}/", {"key": registered["key"]})
    assert client.post(url, told).content.endswith(b"current-status: applied\n")
    with CaptureQueriesContext(connection) as asked:
        assert client.post(url, told).content.endswith(b"current-status: applied\n")
    assert len(asked) == 1
    assert client.post(url, told | {"key": "0" * 32}).status_code == 403


@pytest.mark.parametrize("reason", ["a\x00b", "e" * 5000, "uci: parse error"])
def test_every_error_report_is_kept(
    client: Client, registered: dict[str, str], reason: str
) -> None:
    answer = client.post(
        f"/controller/report-status/{registered['uuid']}/",
        {"key": registered["key"], "status": "error", "error_reason": reason},
    )
    assert answer.content.endswith(b"current-status: error\n")
    stored = Config.objects.get().error_reason
    assert stored
    assert len(stored) <= 1024


def test_an_unknown_status_is_refused(client: Client, registered: dict[str, str]) -> None:
    answer = client.post(
        f"/controller/report-status/{registered['uuid']}/",
        {"key": registered["key"], "status": "running"},
    )
    assert (answer.status_code, answer.content) == (403, b"error: wrong status\n")


def test_a_told_address_is_kept_until_it_is_told_no_more(
    client: Client, organization: Organization
) -> None:
    told = register(client, organization, management_ip="10.9.9.9")
    url, key = f"/controller/checksum/{told['uuid']}/", told["key"]
    client.get(url, {"key": key})
    assert Device.objects.get().management_ip == "10.9.9.9", "the first poll has none yet"
    client.get(f"/controller/download-config/{told['uuid']}/", {"key": key})
    client.get(url, {"key": key, "management_ip": "10.9.9.10"})
    assert Device.objects.get().management_ip == "10.9.9.10"
    client.get(url, {"key": key})
    assert Device.objects.get().management_ip is None


def test_an_address_that_a_person_set_stays(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    from controller.configs.rules.devices import update_device

    update_device(Device.objects.get(), management_ip="10.1.1.1")
    client.get(f"/controller/download-config/{registered['uuid']}/", {"key": registered["key"]})
    client.get(f"/controller/checksum/{registered['uuid']}/", {"key": registered["key"]})
    assert Device.objects.get().management_ip == "10.1.1.1"


def test_a_deactivated_device_is_emptied_and_then_turned_away(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    from controller.configs.rules.devices import deactivate

    uuid, key = registered["uuid"], registered["key"]
    deactivate(Device.objects.get())
    assert Config.objects.get().status == "deactivating"
    archive = client.get(f"/controller/download-config/{uuid}/", {"key": key}).content
    assert tarfile.open(fileobj=io.BytesIO(archive)).getnames() == ["etc/config/system"]
    info = client.post(f"/controller/update-info/{uuid}/", {"key": key, "os": "x"})
    assert (info.status_code, info.content) == (403, b"error: device deactivated\n")
    report = client.post(f"/controller/report-status/{uuid}/", {"key": key, "status": "error"})
    assert report.content.endswith(b"current-status: deactivated\n")
    gone = client.get(f"/controller/checksum/{uuid}/", {"key": key})
    assert (gone.status_code, gone["X-Openwisp-Controller"]) == (404, "true")


def test_devices_of_an_inactive_organization_are_turned_away(
    client: Client, organization: Organization, registered: dict[str, str]
) -> None:
    organization.is_active = False
    organization.save()
    answer = client.get(
        f"/controller/checksum/{registered['uuid']}/", {"key": registered["key"]}
    )
    assert answer.status_code == 404


def test_polls_of_an_inactive_organization_are_soon_not_answered_from_the_cache(
    organization: Organization, django_capture_on_commit_callbacks: Any
) -> None:
    from controller.base.redis import quick_client as client
    from controller.configs.rules.push_queue import reconcile
    from controller.devices.drivers.agent_cache import record_name

    with django_capture_on_commit_callbacks(execute=True):
        device = factories.device(organization, config={})
    record = record_name(device.pk.hex)
    assert client().exists(record)
    organization.is_active = False
    organization.save()
    with django_capture_on_commit_callbacks(execute=True):
        reconcile()
    assert not client().exists(record)


@pytest.mark.django_db(transaction=True)
def test_one_device_that_registers_many_times_at_once_is_one_device() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connections

    organization = factories.organization()
    secret = factories.shared_secret(organization)

    def register_once(_: int) -> int:
        form = {
            "secret": secret,
            "name": "racer",
            "mac_address": MAC,
            "backend": "netjsonconfig.OpenWrt",
            "key": "k" * 32,
        }
        try:
            return Client().post("/controller/register/", form).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        statuses = set(pool.map(register_once, range(12)))
    assert statuses <= {201, 409, 400}, statuses
    assert 201 in statuses
    assert Device.objects.count() == 1
