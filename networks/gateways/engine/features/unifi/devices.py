"""UniFi: devices with their ports and radios, and what is done to devices and clients."""

from functools import partial

from networks.gateways.engine.features.schemas import (
    FLAG,
    MAC,
    NAME,
    OFF,
    TEXT,
    UUID,
    number,
    one_of,
)
from networks.gateways.engine.features.unifi.kinds import ID, ActionFeature, OfDevice

ON = {**FLAG, "default": True}
# The console's id, or the MAC address by which its id is looked up.
DEVICE = {
    "device": {
        **UUID, "pattern": r"^([0-9a-f-]{36}|[0-9a-fA-F]{2}([:-][0-9a-fA-F]{2}){5})$",
    },
}  # fmt: skip
GIVEN = {"device": "0a0a0a0a-0000-4000-8000-000000000001"}
# A port's own settings, which count before those of its profile.
PORT = {
    "port_idx": number(1, 56), "name": TEXT, "portconf_id": ID, "native_networkconf_id": ID,
    "poe_mode": one_of("auto", "pasv24", "passthrough", "off"), "isolation": OFF,
    "op_mode": one_of("switch", "mirror", "aggregate"), "autoneg": ON, "full_duplex": ON,
    "forward": one_of("all", "native", "customize", "disabled"), "flow_control_enabled": OFF,
    "port_security_enabled": OFF, "lldpmed_enabled": ON,
}  # fmt: skip
Port = partial(
    OfDevice,
    path="device/{device}",
    wrapper="port_overrides",
    identity=("port_idx",),
    operations=("update",),
    properties=PORT,
    change={"poe_mode": "off", "name": "Camera 3"},
)
MACS = {"type": "array", "items": MAC, "minItems": 1, "maxItems": 256}

DEVICES = (
    Port(
        "unifi.switch.port", in_area="switch",
        aliases=("unifi.switch.update_port", "unifi.switch.set_poe", "unifi.switch.port_profile"),
    ),
    Port("unifi.devices.port_override", aliases=("unifi.devices.set_port_poe",)),
    OfDevice(
        "unifi.radios.radio", "device/{device}", wrapper="radio_table", identity=("radio",),
        operations=("update",), aliases=("unifi.radios.update",),
        properties={
            "radio": one_of("ng", "na", "6e", "ad"), "ht": number(20, 320),
            "channel": {"type": "string", "pattern": r"^(auto|\d{1,3}(\.5)?)$"},
            "tx_power_mode": one_of("auto", "medium", "high", "low", "custom", "disabled"),
            "tx_power": {"type": "string", "pattern": r"^(auto|\d{1,2})$"}, "min_rssi": number(-90, -67),
            "min_rssi_enabled": OFF, "dfs": FLAG, "loadbalance_enabled": OFF,
            "maxsta": number(1, 200),
        },
        change={"channel": "36", "ht": 80, "tx_power_mode": "medium"},
    ),
    OfDevice(
        "unifi.devices.settings", "device", operations=("update",),
        properties={"name": NAME, "led_override": {**one_of("default", "on", "off"), "default": "default"},
                    "stp_version": one_of("stp", "rstp", "disabled"), "jumboframe_enabled": OFF,
                    "snmp_location": TEXT, "mgmt_network_id": ID},
        change={"name": "switch-hall", "led_override": "off"},
    ),
    OfDevice(
        "unifi.devices.disable", "device", operations=("update",), properties={"disabled": OFF},
        change={"disabled": True}, catastrophic=True,
    ),
    ActionFeature(
        "unifi.devices.force_provision", noun="cmd", action="devmgr force-provision",
        properties={"macs": MACS}, required=("macs",), example={"macs": ["02:00:00:00:00:01"]},
    ),
    ActionFeature(
        "unifi.clients.forget", noun="cmd", action="stamgr forget-sta", properties={"macs": MACS},
        required=("macs",), example={"macs": ["02:00:00:00:00:05"]},
    ),
    ActionFeature(
        "unifi.devices.restart", noun="v1", action="devices/{device}/actions RESTART",
        properties=DEVICE, required=("device",), example=GIVEN, catastrophic=True,
    ),
    ActionFeature(
        "unifi.switch.power_cycle", noun="v1", in_area="switch",
        action="devices/{device}/interfaces/ports/{port_idx}/actions POWER_CYCLE",
        properties={**DEVICE, "port_idx": number(1, 128)}, required=("device", "port_idx"),
        example={**GIVEN, "port_idx": 4},
    ),
    ActionFeature(
        "unifi.devices.upgrade", noun="cmd", action="devmgr upgrade", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"}, catastrophic=True,
    ),
    ActionFeature(
        "unifi.devices.adopt", noun="cmd", action="devmgr adopt", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"},
    ),
    ActionFeature(
        "unifi.devices.locate", noun="cmd", action="devmgr set-locate", properties={"mac": MAC},
        required=("mac",), example={"mac": "02:00:00:00:00:01"},
    ),
    *(
        ActionFeature(
            f"unifi.clients.{name}", noun="cmd", action=f"stamgr {command}",
            properties={"mac": MAC}, required=("mac",), example={"mac": "02:00:00:00:00:05"},
        )
        for name, command in (
            ("block", "block-sta"), ("unblock", "unblock-sta"), ("reconnect", "kick-sta"),
        )
    ),
)  # fmt: skip
