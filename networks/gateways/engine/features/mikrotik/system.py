"""RouterOS: the system itself, its files, packages and services."""

from typing import Any

from networks.gateways.engine.features.feature import Feature
from networks.gateways.engine.features.mikrotik.kinds import (
    ActionFeature,
    Fixed,
    Menu,
    Settings,
)
from networks.gateways.engine.features.schemas import (
    ADDRESS,
    DURATION,
    FILE,
    FLAG,
    NAME,
    NETWORKS,
    PORT,
    SECRET,
    TEXT,
    WEB_ADDRESS,
    WHERES,
    WORD,
    one_of,
    several,
)

PACKAGE = {"numbers": WORD}
PASSWORD = {**TEXT, "writeOnly": True}


def of_file(
    key: str, action: str, name: str, *, catastrophic: bool = False, **how: Any
) -> Feature:
    """Return an action on a file of the router; ``name`` is its argument."""
    return ActionFeature(
        f"mikrotik.system.{key}", "file", action=action, properties={name: FILE}, required=(name,),
        names={} if name == "name" else {"name": name}, example={name: "muster"},
        catastrophic=catastrophic, **how,
    )  # fmt: skip


UNENCRYPTED = "RouterOS does not encrypt exports: make a binary backup with a password."
SYSTEM = (
    Settings(
        "mikrotik.system.identity", "system/identity", properties={"name": NAME},
        change={"name": "gate"},
    ),
    Settings(
        "mikrotik.system.ntp", "system/ntp/client",
        properties={"enabled": FLAG, "servers": WHERES},
        change={"enabled": True, "servers": ["192.0.2.123"]},
    ),
    Settings(
        "mikrotik.system.neighbor.settings", "ip/neighbor/discovery-settings",
        properties={
            "discover-interface-list": {"type": "string", "pattern": r"^!?[A-Za-z0-9_.-]{1,64}$"},
            "protocol": several("cdp", "lldp", "mndp"),
            "mode": one_of("rx-only", "tx-and-rx", "tx-only"),
        },
        change={"discover-interface-list": "!dynamic", "protocol": ["lldp"]},
    ),
    Fixed(
        "mikrotik.system.service_toggle", "ip/service", has_savepoint=True,
        properties={"disabled": FLAG, "port": PORT, "address": NETWORKS, "certificate": WORD,
                    "tls-version": one_of("any", "only-1.2")},
        change={"disabled": True, "address": ["192.168.88.0/24"]},
    ),
    ActionFeature("mikrotik.system.reboot", action="system/reboot", catastrophic=True),
    ActionFeature("mikrotik.system.shutdown", action="system/shutdown", catastrophic=True),
    Settings(
        "mikrotik.system.firmware.channel", "system/package/update",
        properties={"channel": one_of("development", "long-term", "stable", "testing")},
        change={"channel": "long-term"},
    ),
    ActionFeature(
        "mikrotik.system.firmware.check", action="system/package/update/check-for-updates",
    ),
    ActionFeature(
        "mikrotik.system.firmware.download", action="system/package/update/download",
    ),
    ActionFeature("mikrotik.system.firmware.cancel", action="system/package/update/cancel"),
    ActionFeature(
        "mikrotik.system.firmware.install", action="system/package/update/install",
        catastrophic=True,
    ),
    *(
        ActionFeature(
            f"mikrotik.system.package.{verb}", "system/package", action=f"system/package/{verb}",
            properties=PACKAGE, required=("numbers",), names={"name": "numbers"},
            example={"numbers": "wireless"}, catastrophic=verb == "uninstall",
        )
        for verb in ("enable", "disable", "uninstall")
    ),
    ActionFeature(
        "mikrotik.system.backup_create", "file", action="system/backup/save",
        properties={"name": WORD, "password": SECRET}, required=("name",),
        aliases=("mikrotik.system.backup.create_binary",), example={"name": "muster"},
    ),
    ActionFeature(
        "mikrotik.system.backup_load", action="system/backup/load",
        properties={"name": FILE, "password": PASSWORD}, required=("name", "password"),
        aliases=("mikrotik.system.backup.restore",),
        example={"name": "muster.backup", "password": "correct horse"}, catastrophic=True,
    ),
    of_file("export_config", "export", "file", catastrophic=True),
    of_file("backup.export_text", "export", "file", refused={"encrypted": UNENCRYPTED}),
    of_file("file_delete", "file/remove", "numbers"),
    of_file("backup.delete", "file/remove", "numbers"),
    Menu(
        "mikrotik.system.backup.upload", "file", operations=("create", "delete"),
        properties={"name": FILE, "contents": {"type": "string", "maxLength": 60000, "writeOnly": True}},
        required=("name", "contents"), example={"name": "guests.rsc", "contents": "/ip/pool/print"},
    ),
    ActionFeature(
        "mikrotik.system.tool_fetch", "file", action="tool/fetch",
        properties={"url": WEB_ADDRESS, "dst-path": FILE, "user": TEXT, "password": PASSWORD,
                    "mode": one_of("ftp", "http", "https", "sftp", "tftp"),
                    "check-certificate": one_of("no", "yes", "yes-without-crl")},
        required=("url",), example={"url": "https://files.example.org/list.rsc", "dst-path": "list.rsc"},
        catastrophic=True,
    ),
    ActionFeature(
        "mikrotik.system.tool_bandwidth_test", action="tool/bandwidth-test",
        properties={"address": ADDRESS, "user": TEXT, "password": PASSWORD, "duration": DURATION,
                    "protocol": one_of("tcp", "udp"), "direction": one_of("both", "receive", "transmit")},
        required=("address",), defaults={"duration": "10s"}, example={"address": "192.0.2.7"},
    ),
)  # fmt: skip
