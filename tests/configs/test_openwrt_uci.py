"""UCI merged on a stand-in router over real SSH, with automatic rollback."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from controller.configs.drivers.linux_files import LinuxFiles
from controller.configs.drivers.openwrt_uci import OpenwrtUci
from controller.configs.drivers.runner import Connector
from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.uci_merge import merge, parse, written
from controller.connections.drivers.contract import Address, Login
from tests.fleet.archives import archive
from tests.fleet.ssh import SshDevice

TOOLS = Path(__file__).parent.parent / "fleet" / "router"
STRATEGY = OpenwrtUci(LinuxFiles(grace=1))
SYSTEM = """
config system
\toption hostname 'OpenWrt'
\toption timezone 'UTC'

config timeserver 'ntp'
\tlist server '0.openwrt.pool.ntp.org'
"""
FIREWALL = """
config zone
\toption name 'lan'
\toption input 'ACCEPT'

config zone
\toption name 'wan'
\toption input 'REJECT'
"""
OURS = "package system\n\nconfig system 'system'\n\toption hostname 'roof'\n"


@pytest.fixture
def router(tmp_path):
    path = f"{TOOLS}:{os.environ['PATH']}"
    with SshDevice(tmp_path / "router", environment={"PATH": path}) as device:
        (device.root / "etc/config").mkdir(parents=True)
        (device.root / "tmp").mkdir()
        (device.root / "etc/config/system").write_text(SYSTEM)
        (device.root / "etc/config/firewall").write_text(FIREWALL)
        yield device


def connect(router):
    login = Login(router.username, private_key=router.private_key)
    return Connector(Address(router.host, router.port), login, None)


def push(router, config, *, window=5.0):
    return asyncio.run(STRATEGY.push(config, window=window, connect=connect(router)))


def verify(router, config):
    return asyncio.run(STRATEGY.verify(config, connect=connect(router)))


def uci(router, *words):
    done = subprocess.run(
        [TOOLS / "uci", "-c", router.root / "etc/config", *words],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout.strip()


def events(router):
    log = router.root / "tmp/ubus.log"
    return log.read_text() if log.exists() else ""


def test_ours_is_merged_with_what_the_router_has_and_its_services_are_told(router):
    outcome = push(router, archive({"etc/config/system": OURS, "etc/banner": "hello\n"}))

    assert (outcome.state, outcome.reason) == ("applied", "")
    assert uci(router, "show", "system").splitlines() == [
        "system.system=system",
        "system.system.hostname='roof'",
        "system.system.timezone='UTC'",
        "system.ntp=timeserver",
        "system.ntp.server='0.openwrt.pool.ntp.org'",
    ]
    assert (router.root / "etc/banner").read_text() == "hello\n"
    assert '{"type":"config.change","data":{"package":"system"}}' in events(router)
    assert "firewall" not in events(router)


def test_the_same_again_changes_nothing(router):
    config = archive({"etc/config/system": OURS})
    push(router, config)
    before = events(router)

    assert push(router, config).state == "applied"
    assert events(router) == before


def test_an_anonymous_section_is_known_by_its_name_option(router):
    ours = (
        "config zone 'zone_wan'\n\toption name 'wan'\n\toption masq '1'\n"
        "config zone 'zone_lan'\n\toption name 'lan'\n\toption input 'DROP'\n"
    )

    assert push(router, archive({"etc/config/firewall": ours})).state == "applied"

    assert uci(router, "get", "firewall.@zone[0].input") == "DROP"
    assert uci(router, "get", "firewall.zone_wan.input") == "REJECT"
    assert uci(router, "get", "firewall.zone_wan.masq") == "1"
    assert len((router.root / "etc/config/firewall").read_text().split("config zone")) == 3


def test_what_is_ours_no_more_goes_back_to_what_it_was_and_the_owners_changes_stay(router):
    ntp = "config timeserver 'ntp'\n\tlist server 'ntp.example.org'\n\toption enabled '1'\n"
    push(
        router, archive({"etc/config/system": OURS + ntp, "etc/config/ours": "config a 'b'\n"})
    )
    uci(router, "set", "system.led=led")
    uci(router, "set", "system.led.name=blue")
    uci(router, "commit", "system")

    assert push(router, archive({})).state == "applied"

    assert uci(router, "get", "system.system.hostname") == "OpenWrt"
    assert uci(router, "get", "system.ntp.server") == "0.openwrt.pool.ntp.org"
    assert "enabled" not in uci(router, "show", "system")
    assert uci(router, "get", "system.led.name") == "blue"
    assert not (router.root / "etc/config/ours").exists()


def test_a_router_that_cannot_be_reached_any_more_goes_back_by_itself(router):
    first = archive({"etc/config/system": OURS})
    push(router, first)
    gone = archive({"etc/config/system": OURS.replace("roof", "cellar")})

    class Once:
        """Fault: the new configuration makes the device unreachable."""

        def __init__(self):
            self.calls, self.real = 0, connect(router)

        def __call__(self):
            self.calls += 1
            return self.real() if self.calls <= 2 else connect_nowhere()

    def connect_nowhere():
        login = Login(router.username, private_key=router.private_key)
        return Connector(Address(router.host, 1), login, None)()

    outcome = asyncio.run(STRATEGY.push(gone, window=1.0, connect=Once()))

    assert outcome.state == "unknown"
    assert verify(router, gone).state == "failed"
    assert uci(router, "get", "system.system.hostname") == "roof"
    assert "roof" in (router.root / "etc/muster/uci/ours/system").read_text()
    assert push(router, first).state == "applied"


def test_a_service_that_fails_brings_the_former_configuration_back(router):
    (router.root / "etc/muster/reload.d").mkdir(parents=True)
    hook = router.root / "etc/muster/reload.d/60-check"
    hook.write_text('#!/bin/sh\n! grep -q roof "$MUSTER_ROOT/etc/config/system"\n')
    hook.chmod(0o755)

    outcome = push(router, archive({"etc/config/system": OURS}))

    assert outcome.state == "failed"
    assert "60-check" in outcome.reason
    assert uci(router, "get", "system.@system[0].hostname") == "OpenWrt"
    assert events(router).count('"package":"system"') == 2


def test_changes_that_somebody_has_not_committed_are_left_alone(router):
    uci(router, "set", "system.ntp.enabled=1")

    outcome = push(router, archive({"etc/config/system": OURS}))

    assert outcome.state == "busy"
    assert "system" in outcome.reason
    assert uci(router, "changes", "system") == "system.ntp.enabled='1'"
    assert "roof" not in (router.root / "etc/config/system").read_text()


def test_only_what_is_ours_counts_as_drift(router):
    config = archive({"etc/config/system": OURS})
    push(router, config)
    uci(router, "set", "system.ntp.enabled=1")
    uci(router, "commit", "system")

    assert verify(router, config).drift == ()

    uci(router, "set", "system.system.hostname=mine")
    uci(router, "commit", "system")
    found = verify(router, config)
    assert (found.state, found.drift) == ("applied", ("etc/config/system",))
    assert push(router, config).state == "applied"
    assert uci(router, "get", "system.system.hostname") == "roof"
    assert uci(router, "get", "system.ntp.enabled") == "1"


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"etc/config/system": "config system\n\toption a 'b'\n"}, "without a name"),
        ({"etc/config/system": "option a 'b'\n"}, "line 1 is no line of a UCI file"),
        ({"etc/config/system": "config a 'b\n"}, "not closed"),
    ],
)
def test_what_cannot_be_merged_is_refused_with_nothing_changed(router, files, words):
    outcome = push(router, archive(files))

    assert outcome.state == "failed"
    assert words in outcome.reason
    assert (router.root / "etc/config/system").read_text() == SYSTEM


def test_a_package_that_the_router_itself_cannot_read_is_told(router):
    (router.root / "etc/config/system").write_text("config system 'a-b'\n")

    outcome = push(router, archive({"etc/config/system": OURS}))

    assert outcome.state == "failed"
    assert "Parse error" in outcome.reason


def test_a_device_without_uci_is_no_router(tmp_path):
    with SshDevice(tmp_path / "host") as host:
        outcome = push(host, archive({"etc/config/system": OURS}))

    assert outcome.state == "failed"
    assert "no OpenWrt" in outcome.reason


def test_files_of_uci_are_read_as_libuci_reads_them():
    package = parse(
        "package x\n# a comment\nconfig 'thing' \"name\"\n"
        "  option a b\\ c # more\n\toption q 'it'\\''s'\n\tlist l \"1\\\"\"; list l 2\n"
        "\toption lines 'one\ntwo'\n"
    )

    assert package[0].options == {
        "a": "b c",
        "q": "it's",
        "l": ['1"', "2"],
        "lines": "one\ntwo",
    }
    assert parse(written(package)) == package


def test_a_quote_that_is_not_closed_is_refused():
    with pytest.raises(InvalidConfig, match="not closed"):
        parse("config a 'b\n")


def test_merging_nothing_changes_nothing():
    now = parse(SYSTEM)
    assert merge(now, [], former=[], original=now) == now
