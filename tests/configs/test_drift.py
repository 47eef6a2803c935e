"""Drift detection over real SSH: check, display and repair."""

import asyncio
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from controller.base.errors import Conflict
from controller.configs.drivers.openwrt_agent import OpenwrtAgent
from controller.configs.drivers.runner import Connector
from controller.configs.models import Config, Push
from controller.configs.rules import devices, drift, push_worker
from controller.configs.rules.push_queue import reconcile
from controller.connections.drivers.contract import Address, Login
from controller.devices.models import Presence
from tests import factories
from tests.fleet.archives import archive
from tests.fleet.ssh import SshDevice

TOOLS = Path(__file__).parent.parent / "fleet" / "router"


@pytest.fixture
def host(tmp_path):
    with SshDevice(tmp_path / "host") as device:
        yield device


@pytest.fixture
def pushed(organization, host):
    """Return a device that has received its configuration over SSH."""
    row = factories.device(
        organization, name="roof", config={"config": factories.a_file("hello\n")},
        management_ip=host.host,
    )  # fmt: skip
    credentials = factories.credentials(
        organization, params={"username": host.username, "key": host.private_key}
    )
    factories.connection(row, credentials, port=host.port)
    reconcile()
    push_worker.deliver()
    config = Config.objects.get()
    assert config.status == "applied"
    return config


def later(config):
    """Advance the time to the next drift check."""
    Config.objects.update(drift_checked=timezone.now() - timedelta(hours=1))
    Presence.objects.update(state="online")
    config.refresh_from_db()


def test_a_file_that_somebody_changes_on_the_device_is_found_and_put_right(pushed, host):
    (host.root / "etc/motd").write_text("mine\n")
    later(pushed)

    assert drift.check_due() == 1
    pushed.refresh_from_db()
    assert pushed.drift == ["etc/motd"]
    assert "etc/motd" in pushed.drift_reason
    assert drift.Pending("/etc/motd", "drifted") in drift.pending(pushed)

    assert drift.repair(pushed) >= 0
    push_worker.deliver()
    assert (host.root / "etc/motd").read_text() == "hello\n"
    pushed.refresh_from_db()
    assert (pushed.status, pushed.drift, pushed.drifted_at) == ("applied", [], None)


def test_a_device_without_drift_is_not_flagged_and_not_asked_again_soon(pushed, host):
    later(pushed)

    assert drift.check_due() == 1
    assert drift.check_due() == 0
    pushed.refresh_from_db()
    assert pushed.drifted_at is None
    with pytest.raises(Conflict, match="No drift"):
        drift.repair(pushed)


def test_drift_that_somebody_mends_by_hand_is_no_drift_any_more(pushed, host):
    (host.root / "etc/motd").write_text("mine\n")
    later(pushed)
    drift.check_due()
    (host.root / "etc/motd").write_text("hello\n")
    later(pushed)
    drift.check_due()

    pushed.refresh_from_db()
    assert (pushed.drift, pushed.drifted_at) == ([], None)


def test_a_device_that_was_reset_holds_nothing_of_ours(pushed, host):
    shutil.rmtree(host.root / "var")
    later(pushed)
    drift.check_due()

    pushed.refresh_from_db()
    assert pushed.drifted_at is not None
    assert "holds no config of ours" in pushed.drift_reason


def test_a_device_that_does_not_answer_is_not_said_to_have_drifted(pushed, host):
    host.stop()
    later(pushed)
    drift.check_due()

    pushed.refresh_from_db()
    assert pushed.drifted_at is None
    assert pushed.drift_checked > timezone.now() - timedelta(minutes=1)


def test_devices_that_cannot_be_asked_are_told_as_that(organization):
    device = factories.device(organization, config={})

    with pytest.raises(Conflict, match="cannot be asked"):
        drift.request_check(device.config)


def test_files_are_compared_one_by_one_before_anything_is_pushed(pushed):
    devices.update_device(
        pushed.device,
        config={"config": {"files": [
            {"path": "etc/motd", "mode": "0644", "contents": "new\n"},
            {"path": "etc/issue", "mode": "0644", "contents": "x\n"},
        ]}},
    )  # fmt: skip
    pushed.refresh_from_db()

    assert drift.pending(pushed) == [
        drift.Pending("/etc/config/system", "same"),
        drift.Pending("/etc/issue", "added"),
        drift.Pending("/etc/motd", "changed"),
    ]


def test_drift_is_read_checked_and_repaired_over_the_api(client, organization, pushed, host):
    url = f"/api/v1/controller/device/{pushed.device_id}/drift/"
    headers = factories.bearer(factories.user(organization))
    viewer = factories.bearer(factories.user(organization, "viewer"))
    (host.root / "etc/motd").write_text("mine\n")

    devices.update_device(pushed.device, config={"config": factories.a_file("{{ nowhere }}\n")})
    before = client.get(url, headers=viewer).json()
    assert (before["has_drifted"], before["undefined"]) == (False, ["nowhere"])
    assert {"path": "/etc/motd", "state": "changed"} in before["files"]
    devices.update_device(pushed.device, config={"config": factories.a_file("hello\n")})
    Push.objects.all().delete()
    assert client.post(f"{url}check/", headers=viewer).status_code == 403
    found = client.post(f"{url}check/", headers=headers).json()
    assert found["has_drifted"] is True
    assert {"path": "/etc/motd", "state": "drifted"} in found["files"]

    listed = "/api/v1/controller/device/"
    drifted = client.get(listed, {"config__drifted": "true"}, headers=headers).json()
    assert [one["name"] for one in drifted["results"]] == ["roof"]
    others = client.get(listed, {"config__drifted": "false"}, headers=headers).json()
    assert others["count"] == 0

    assert client.post(f"{url}repair/", headers=viewer).status_code == 403
    repaired = client.post(f"{url}repair/", headers=headers)
    assert (repaired.status_code, repaired.json()["has_drifted"]) == (200, False)
    stranger = factories.bearer(factories.user(factories.organization()))
    assert client.get(url, headers=stranger).status_code == 404


def test_the_admin_shows_drift_in_the_list_and_on_the_page(client, pushed, host):
    client.force_login(factories.superuser())
    (host.root / "etc/motd").write_text("mine\n")
    drift.request_check(pushed)

    assert "Drifted" in client.get("/admin/devices/device/?show=drifted").content.decode()
    page = client.get(f"/admin/devices/device/{pushed.device_id}/change/").content.decode()
    assert "etc/motd" in page
    done = client.post(f"/admin/devices/device/{pushed.device_id}/drift/", {"verb": "repair"})
    assert done.status_code == 302
    pushed.refresh_from_db()
    assert pushed.drifted_at is None


def test_an_agents_files_are_read_back_and_of_uci_only_what_is_ours(tmp_path):
    path = f"{TOOLS}:{os.environ['PATH']}"
    ours = archive(
        {"etc/config/system": "config system 'system'\n\toption hostname 'roof'\n",
         "etc/banner": "hello\n"}
    )  # fmt: skip
    with SshDevice(tmp_path / "router", environment={"PATH": path}) as router:
        for name in ("etc/config", "etc/openwisp"):
            (router.root / name).mkdir(parents=True)
        (router.root / "etc/openwisp/checksum").write_text(ours.checksum)
        (router.root / "etc/banner").write_text("hello\n")
        system = router.root / "etc/config/system"
        mine = "config system 'system'\n\toption zonename 'Rome'\n\toption hostname 'roof'\n"
        system.write_text(mine)
        login = Login(router.username, private_key=router.private_key)

        def verify():
            connect = Connector(Address(router.host, router.port), login, None)
            return asyncio.run(OpenwrtAgent().verify(ours, connect=connect))

        assert (verify().state, verify().drift) == ("applied", ())
        system.write_text(mine.replace("roof", "cellar"))
        (router.root / "etc/banner").unlink()
        assert verify().drift == ("etc/banner", "etc/config/system")
        (router.root / "etc/openwisp/checksum").write_text("0" * 32)
        assert (verify().state, verify().holds_other) == ("unknown", True)
