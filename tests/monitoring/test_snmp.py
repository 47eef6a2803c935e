"""Measurements over SNMP, from a real snmpd."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules import create_credentials
from controller.monitoring.engine import netjson, snmp
from controller.monitoring.models import Sample
from controller.monitoring.rules import device_polling, snmp_polling
from controller.monitoring.rules.latest_reports import snapshots_of
from tests import factories
from tests.fleet.snmp import AUTH, COMMUNITY, PRIVACY, SNMPD, USER, SnmpAgent, snmp_agent
from tests.fleet.ssh import SshDevice
from tests.monitoring.test_checks import newest

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(SNMPD is None, reason="snmpd is not installed"),
]

COMMUNITY_2C = {"version": "2c", "community": COMMUNITY}
USER_3 = {
    "version": "3", "username": USER, "auth_protocol": "SHA-256", "auth_password": AUTH,
    "privacy_protocol": "AES", "privacy_password": PRIVACY,
}  # fmt: skip
REMOTE, LOCAL = "1.0.8802.1.1.2.1.4.1.1", "1.0.8802.1.1.2.1.3.7.1"
SENSOR = "1.3.6.1.2.1.99.1.1.1"
PROCESSOR = "1.3.6.1.2.1.25.3.3.1.2"
# A neighbor at port 3, a sensor of 47.5 °C, and two processors.
MORE = f"""
override {LOCAL}.3.3 octet_str "ge-0/0/3"
override {REMOTE}.4.0.3.1 integer 4
override {REMOTE}.5.0.3.1 octet_str "0x525400AABB01"
override {REMOTE}.7.0.3.1 octet_str "1"
override {REMOTE}.8.0.3.1 octet_str "uplink"
override {REMOTE}.9.0.3.1 octet_str "core-switch"
override {SENSOR}.1.1 integer 8
override {SENSOR}.2.1 integer 9
override {SENSOR}.3.1 integer 1
override {SENSOR}.4.1 integer 475
override {PROCESSOR}.900 integer 20
override {PROCESSOR}.901 integer 60
"""


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[SnmpAgent]:
    with snmp_agent(tmp_path, MORE) as started:
        yield started


def connected(
    organization: Organization, agent: SnmpAgent, params: dict[str, Any]
) -> DeviceConnection:
    credentials = create_credentials(
        organization=organization, name="SNMP", connector=Credentials.Connector.SNMP,
        params=params | {"port": agent.port},
    )  # fmt: skip
    device = factories.device(organization, management_ip=agent.host)
    return factories.connection(device, credentials)


@pytest.mark.parametrize("params", [COMMUNITY_2C, USER_3], ids=["2c", "3"])
def test_a_device_is_measured_over_snmp(
    organization: Organization, agent: SnmpAgent, params: dict[str, Any]
) -> None:
    way = connected(organization, agent, params)
    device_polling.add_addressed()
    assert device_polling.pull_due() == 1
    found = newest(way.device)
    assert {"uptime", "cpu", "memory", "disk"} <= found.keys()
    assert 0 < found["memory"] < 100
    assert (found["cpu"], found["temperature"]) == (40, 47.5)
    way.refresh_from_db()
    assert (way.is_working, way.failure_reason) == (True, "")
    body = snapshots_of([way.device_id])[way.device_id]
    assert body["general"]["hostname"] == "switch-of-the-tests"
    assert body["lldp"] == [
        {"interface": "ge-0/0/3", "name": "core-switch", "mac": "52:54:00:aa:bb:01",
         "port": "uplink"},
    ]  # fmt: skip


def test_counters_of_snmp_become_increments(organization: Organization) -> None:
    def told(received: int) -> Any:
        column = {"1": b"eth0"}
        body = snmp.as_netjson(
            {"agent_uptime": 100_000},
            {"descr": column, "name": column, "oper": {"1": 1}, "type": {"1": 6},
             "hc_rx": {"1": received}, "hc_tx": {"1": 7}, "speed": {"1": 1000}},
        )  # fmt: skip
        return netjson.read(body)

    report = told(2**40)
    assert report.counters == {"rx_bytes eth0": 2**40, "tx_bytes eth0": 7}
    assert report.speeds == {"eth0": 1e9}
    assert report.uptime == 1000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"auth_password": "another-password"}, "refuses"),
        ({"username": "stranger"}, "refuses"),
        ({"privacy_password": "another-password"}, "does not answer"),
    ],
)
def test_a_wrong_user_is_told_at_the_connection(
    organization: Organization, agent: SnmpAgent, change: dict[str, str], reason: str
) -> None:
    way = connected(organization, agent, USER_3 | change)
    device_polling.add_addressed()
    assert device_polling.pull_due() == 0
    way.refresh_from_db()
    assert way.is_working is False
    assert reason in way.failure_reason
    assert not Sample.objects.exists()


def test_agents_of_different_secrets_do_not_disturb_each_other(
    organization: Organization, agent: SnmpAgent
) -> None:
    good = connected(organization, agent, USER_3)
    # The same user with another password, in the same batch.
    bad = factories.device(organization, management_ip="127.0.0.1")
    other = create_credentials(
        organization=organization, name="Other", connector=Credentials.Connector.SNMP,
        params=USER_3 | {"auth_password": "another-password", "port": agent.port},
    )  # fmt: skip
    factories.connection(bad, other)
    device_polling.add_addressed()
    assert device_polling.pull_due() == 1
    assert newest(good.device)["uptime"] > 0


def test_a_community_is_sent_to_approved_devices_alone(
    organization: Organization, agent: SnmpAgent
) -> None:
    way = connected(organization, agent, COMMUNITY_2C)
    way.device.is_approved = False
    way.device.save()
    device_polling.add_addressed()
    assert device_polling.pull_due() == 0
    way.refresh_from_db()
    assert "Approve it on its page" in way.failure_reason


def test_an_address_out_of_bounds_is_not_asked(
    organization: Organization, agent: SnmpAgent, settings: Any
) -> None:
    way = connected(organization, agent, COMMUNITY_2C)
    settings.MUSTER_DEVICE_NETWORKS = ["10.0.0.0/8"]
    device_polling.add_addressed()
    assert device_polling.pull_due() == 0
    way.refresh_from_db()
    assert "MUSTER_DEVICE_NETWORKS" in way.failure_reason


def test_ssh_goes_first_and_snmp_where_it_does_not_work(
    organization: Organization, agent: SnmpAgent, tmp_path: Path
) -> None:
    way = connected(organization, agent, COMMUNITY_2C)
    with SshDevice(tmp_path) as ssh:
        over_ssh = factories.connection(
            way.device,
            factories.credentials(
                organization,
                params={"username": ssh.username, "port": ssh.port,
                        "key": ssh.client_key_path.read_text()},
            ),
        )  # fmt: skip
        device_polling.add_addressed()
        assert device_polling.pull_due() == 1
        way.refresh_from_db()
        assert way.last_attempt is None
    DeviceConnection.objects.filter(pk=over_ssh.pk).update(is_working=False)
    assert snmp_polling.asked_over_snmp([way.device_id]) == [way.device_id]


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "community"),
        ({"version": "1", "community": "x"}, "version"),
        ({"version": "3"}, "username"),
        ({"version": "3", "username": "x", "auth_password": "12345678"}, "auth_protocol"),
        ({"version": "3", "username": "x", "auth_protocol": "SHA", "auth_password": "short"},
         "auth_password"),
        ({"version": "3", "username": "x", "privacy_protocol": "AES",
          "privacy_password": "12345678"}, "privacy_password"),
        ({"version": "3", "username": "x", "auth_protocol": "ROT13"}, "auth_protocol"),
        ({"community": "x", "password": "y"}, "password"),
    ],
)  # fmt: skip
def test_credentials_of_snmp_are_checked(
    organization: Organization, params: dict[str, Any], problem: str
) -> None:
    with pytest.raises(Refused) as refusal:
        create_credentials(
            organization=organization, name="SNMP", connector="snmp", params=params
        )
    assert problem in str(refusal.value)


def test_a_larger_storage_than_32_bits_hold_is_read() -> None:
    tables = {"store_type": {"1": snmp.FIXED_DISK}, "store_name": {"1": b"/data"},
              "store_units": {"1": 4096}, "store_size": {"1": -1}, "store_used": {"1": 5}}  # fmt: skip
    (found,) = snmp.disks(tables)
    assert found["size_bytes"] == 4096 * (2**32 - 1)
    assert found["used_bytes"] == 4096 * 5
