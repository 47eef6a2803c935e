"""Ports and radios of devices: rows of a list at UniFi, several calls at Omada."""

from typing import Any

import pytest

from controller.accounts.models import User
from controller.base.errors import OutcomeUnknown, Refused
from networks.gateways.rules.gateway_connections import connect
from tests.fleet.omada import SWITCH
from tests.fleet.unifi import ACCESS_POINT, GATEWAY
from tests.networks.applying import at_a_desk

pytestmark = pytest.mark.usefixtures("writes")
MAC = "02:00:00:00:00:01"


def overrides(device: Any) -> dict[int, Any]:
    return {row["port_idx"]: row for row in device.rows["device"][GATEWAY]["port_overrides"]}


def test_a_port_is_changed_and_the_others_stay(admin: User) -> None:
    with at_a_desk("unifi.switch.set_poe", admin) as desk:
        rows = desk.device.rows["device"][GATEWAY]["port_overrides"]
        rows.append({"port_idx": 7, "name": "Camera", "poe_mode": "auto"})
        desk.do("update", {"poe_mode": "off"}, f"{GATEWAY}:1")
        assert overrides(desk.device)[1] == {"port_idx": 1, "name": "Uplink", "poe_mode": "off"}
        assert overrides(desk.device)[7] == {
            "port_idx": 7,
            "name": "Camera",
            "poe_mode": "auto",
        }


def test_a_port_without_settings_of_its_own_gets_them(admin: User) -> None:
    with at_a_desk("unifi.switch.port", admin) as desk:
        del desk.device.rows["device"][GATEWAY]["port_overrides"]
        change = desk.do("update", {"poe_mode": "off", "isolation": True}, f"{GATEWAY}:1")
        assert overrides(desk.device)[1] == {
            "port_idx": 1,
            "poe_mode": "off",
            "isolation": True,
        }
        desk.undo(change)
        assert overrides(desk.device)[1] == {"port_idx": 1, "isolation": False}


def test_a_port_is_named_by_device_and_number_as_clients_of_freesdn_do(admin: User) -> None:
    with at_a_desk("unifi.devices.set_port_poe", admin) as desk:
        for target in (GATEWAY, MAC):
            change = desk.do("update", {"port_idx": 1, "poe_mode": "off"}, target)
            assert change.target_id == f"{target}:1"
            assert overrides(desk.device)[1]["poe_mode"] == "off"
            desk.undo(change)
        for unknown in (f"{GATEWAY}:9", f"{'d' * 24}:1", GATEWAY):
            with pytest.raises(Refused):
                desk.stage("update", {"poe_mode": "off"}, unknown)


def test_ports_and_radios_are_listed_by_their_device(admin: User) -> None:
    with at_a_desk("unifi.radios.update", admin) as desk, connect(desk.gateway) as device:
        assert device.ids(desk.feature, {}) == [f"{ACCESS_POINT}:na"]
        assert device.read(desk.feature, f"{ACCESS_POINT}:na") == {
            "radio": "na", "channel": "auto", "ht": "40", "tx_power_mode": "auto",
        }  # fmt: skip


def test_a_port_of_omada_of_which_a_part_was_changed_is_not_called_refused(admin: User) -> None:
    with at_a_desk("switch.port", admin) as desk:
        desk.device.edit = lambda: setattr(desk.device, "trouble", "refuses")
        desk.device.trouble = "edited after"
        with pytest.raises(OutcomeUnknown):
            desk.do("update", {"name": "Camera", "poeMode": 0}, f"{SWITCH}:1")
        port = desk.device.ports[0]
        assert (port["name"], port["poeMode"]) == ("Camera", 1)


def test_wireless_networks_of_omada_are_read_with_their_group_and_without_their_key(
    admin: User,
) -> None:
    with at_a_desk("wifi.ssid", admin) as desk:
        made = desk.do("create", desk.feature.example)
        with connect(desk.gateway) as device:
            assert device.ids(desk.feature, {}) == [made.target_id]
            row = device.read(desk.feature, made.target_id) or {}
            assert row["wlanId"] == made.target_id.partition(":")[0]
            assert not [name for name in row if "securityKey" in name]
            assert device.read(desk.feature, f"{row['wlanId']}:none") is None
