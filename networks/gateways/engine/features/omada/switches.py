"""Omada: ports of switches and their profiles, and wireless networks."""

from networks.gateways.engine.features.omada.kinds import MAC, WORDS, Kind
from networks.gateways.engine.features.schemas import FLAG, NAME, VLAN, WORD, number

SWITCHES = (
    Kind(
        "switch.port", "switches/{switchMac}/ports", noun="port", operations=("update",),
        in_area="switch-advanced", identity=("port",),
        properties={"switchMac": MAC, "port": number(1, 64), "name": NAME,
                    "poeMode": number(0, 1), "status": number(0, 1), "profileId": WORD},
        change={"poeMode": 0, "name": "Camera 3"},
    ),
    Kind(
        "switch.profile", "lan-profiles", in_area="switch-advanced", changed_by="PATCH",
        kept=("bandCtrl", "dhcpL2RelaySettings", "dot1pPriority", "eeeEnable", "fastLeaveEnable",
              "igmpFastLeaveEnable", "loopbackDetectVlanBasedEnable", "mldFastLeaveEnable",
              "spanningTreeSetting", "stormCtrl", "trustMode"),
        properties={
            "name": NAME, "poe": number(0, 2), "nativeNetworkId": WORD, "tagNetworkIds": WORDS,
            "untagNetworkIds": WORDS, "voiceNetworkId": WORD, "dot1x": number(0, 2),
            "portIsolationEnable": FLAG, "spanningTreeEnable": FLAG, "lldpMedEnable": FLAG,
            "loopbackDetectEnable": FLAG, "flowControlEnable": FLAG,
            "bandWidthCtrlType": number(0, 2),
        },
        required=("name", "nativeNetworkId"),
        defaults={"poe": 2, "dot1x": 1, "portIsolationEnable": False, "spanningTreeEnable": True,
                  "lldpMedEnable": True, "loopbackDetectEnable": False, "bandWidthCtrlType": 0},
        example={"name": "Cameras", "nativeNetworkId": "net1", "poe": 0},
        change={"portIsolationEnable": True},
    ),
    Kind(
        "wifi.ssid", "wireless-network/wlans/{wlanId}/ssids", noun="ssidId", changed_by="PATCH",
        changed_at="wireless-network/wlans/{wlanId}/ssids/{id}/update-basic-config",
        deleted_at="wireless-network/wlans/{wlanId}/ssids",
        given_once=("deviceType",), kept=("autoWanAccess", "entSetting", "greEnable", "oweEnable",
                                          "ppskSetting", "prohibitWifiShare", "vlanSetting"),
        properties={
            "wlanId": WORD, "name": {"type": "string", "minLength": 1, "maxLength": 32},
            "band": number(1, 7), "security": number(0, 5), "broadcast": FLAG, "pmfMode": number(1, 3),
            "guestNetEnable": FLAG, "vlanEnable": FLAG, "vlanId": VLAN, "enable11r": FLAG,
            "mloEnable": FLAG, "hidePwd": FLAG, "deviceType": number(1, 3),
            "pskSetting.securityKey": {"type": "string", "minLength": 8, "maxLength": 63, "writeOnly": True},
            "pskSetting.versionPsk": number(1, 4), "pskSetting.encryptionPsk": number(1, 3),
            "pskSetting.gikRekeyPskEnable": FLAG,
        },
        required=("wlanId", "name", "security"),
        required_if={("security", 3): ("pskSetting.securityKey", "pskSetting.versionPsk",
                                       "pskSetting.encryptionPsk", "pskSetting.gikRekeyPskEnable")},
        defaults={"band": 3, "broadcast": True, "deviceType": 1, "enable11r": False, "hidePwd": False,
                  "guestNetEnable": False, "mloEnable": False, "pmfMode": 2, "vlanEnable": False},
        example={"wlanId": "w" * 24, "name": "Guests", "security": 3,
                 "pskSetting.securityKey": "correct horse", "pskSetting.versionPsk": 2,
                 "pskSetting.encryptionPsk": 3, "pskSetting.gikRekeyPskEnable": False},
        change={"name": "Visitors", "broadcast": False},
    ),
)  # fmt: skip
