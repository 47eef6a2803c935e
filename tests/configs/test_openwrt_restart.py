"""A router whose /var is memory, with procd: pushes that take a while, and restarts in between."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from controller.configs.drivers.linux_files import LinuxFiles, pack, start_command
from controller.configs.drivers.openwrt_uci import OpenwrtUci
from controller.configs.drivers.runner import Connector
from controller.connections.drivers.contract import Address, Login
from tests.fleet.archives import archive
from tests.fleet.ssh import SshDevice

TOOLS = Path(__file__).parent.parent / "fleet" / "router"
FILES = LinuxFiles(grace=1)
UCI = OpenwrtUci(FILES)
NETWORK = "config interface 'lan'\n\toption proto 'static'\n\toption ipaddr '192.168.1.1'\n"
WIRELESS = "config wifi-iface 'ours'\n\toption key 'correct horse'\n"
CUT_OFF = NETWORK.replace("192.168.1.1", "10.99.0.5")


@pytest.fixture
def router(tmp_path):
    path = f"{TOOLS}:{os.environ['PATH']}"
    with SshDevice(tmp_path / "router", environment={"PATH": path}) as device:
        root = device.root
        for folder in ("etc/config", "tmp", "lib/functions"):
            (root / folder).mkdir(parents=True)
        shutil.rmtree(root / "var", ignore_errors=True)
        (root / "var").symlink_to("tmp")
        (root / "etc/rc.common").write_text("# runs the functions of init scripts\n")
        (root / "lib/functions/procd.sh").write_text("PROCD_RELOAD_DELAY=200\n")
        (root / "etc/config/network").write_text(NETWORK)
        (root / "etc/config/wireless").write_text(WIRELESS)
        (root / "etc/config/wireless").chmod(0o600)
        (root / "etc/banner").write_text("ours\n")
        yield device


def connect(router, port=0):
    login = Login(router.username, private_key=router.private_key)
    return Connector(Address(router.host, port or router.port), login, None)


def push(router, config, *, window=5.0, strategy=UCI, by=None):
    done = strategy.push(config, window=window, connect=by or connect(router))
    return asyncio.run(done)


def held(router):
    """What the router has: bytes, modes and owners, but for what a push keeps for itself."""
    root = router.root
    return {
        str(path.relative_to(root)): look(path)
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and not path.is_relative_to(root / "tmp")
        and "muster/push" not in str(path)
    }


def look(path):
    told = path.stat()
    return path.read_bytes(), told.st_mode, told.st_uid, told.st_gid


def restart(router):
    """What is in memory is gone, and so is what ran; then the init scripts run."""
    root = router.root
    for run in root.glob("etc/muster/push/run.*/journal"):
        for line in run.read_text().splitlines():
            if line.startswith("runner: "):
                kill(int(line.split()[1].split(":")[0]))
    shutil.rmtree(root / "tmp")
    (root / "tmp").mkdir()
    for link in sorted(root.glob("etc/rc.d/S*")):
        subprocess.run(["sh", "-c", f". {link.resolve()}; boot"], check=True)


def kill(pid):
    """Kill a process and wait until it is gone, as nothing survives a restart."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    until(lambda: not runs(pid))


def runs(pid):
    """Tell a process from its remains, which may wait for their parent."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def begin(router, config):
    """Start a push that nobody confirms."""

    async def act():
        async with connect(router)() as shell:
            await shell.run(start_command(config, 60), stdin=pack(config), timeout=20)

    asyncio.run(act())


class CutAfter:
    """Fault: so many seconds after the push has begun, the router cannot be reached any more."""

    def __init__(self, router, *, looks, seconds):
        self.router, self.left, self.seconds = router, looks, seconds
        self.end = float("inf")

    def __call__(self):
        self.left -= 1
        if self.left == -1:
            self.end = time.monotonic() + self.seconds
        port = self.router.port if time.monotonic() < self.end else 1
        return connect(self.router, port)()


def test_it_is_confirmed_only_when_services_have_been_reloaded(router):
    """What cuts the router off does so after the hooks: it would have been confirmed before."""
    before = held(router)
    # The look and the start come through, and so would a confirmation at once.
    by = CutAfter(router, looks=2, seconds=0.1)
    outcome = push(router, archive({"etc/config/network": CUT_OFF}), window=2.0, by=by)
    assert outcome.state == "unknown"
    until(lambda: held(router) == before | hooks(router))


def hooks(router):
    path = router.root / "etc/muster/reload.d/50-uci"
    return {"etc/muster/reload.d/50-uci": look(path)}


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def test_a_restart_before_the_confirmation_brings_the_former_files_back(router):
    before = held(router)
    begin(router, archive({"etc/config/network": CUT_OFF, "etc/new": "1\n"}))
    assert (router.root / "etc/config/network").read_text() == CUT_OFF
    restart(router)
    assert held(router) == before
    assert not list(router.root.glob("etc/rc.d/*"))


def test_a_push_that_is_over_leaves_nothing_for_the_next_start(router):
    assert push(router, archive({"etc/new": "1\n"}), strategy=FILES).state == "applied"
    before = held(router)
    restart(router)
    assert held(router) == before
    assert not list(router.root.glob("etc/init.d/*"))


def test_after_a_restart_files_that_leave_the_config_still_give_way(router):
    before = held(router)
    config = archive({"etc/extra.txt": "1\n", "etc/banner": "theirs\n"})
    assert push(router, config, strategy=FILES).state == "applied"
    restart(router)
    assert push(router, archive({}), strategy=FILES).state == "applied"
    assert held(router) == before


def test_what_an_earlier_version_kept_in_memory_is_taken_along(router):
    config = archive({"etc/extra.txt": "1\n"})
    assert push(router, config, strategy=FILES).state == "applied"
    memory = router.root / "tmp/lib/muster"
    memory.mkdir(parents=True)
    shutil.move(router.root / "etc/muster/push/applied", memory / "applied")
    assert push(router, archive({}), strategy=FILES).state == "applied"
    assert not (router.root / "etc/extra.txt").exists()


def test_packages_keep_their_modes(router):
    ours = "package wireless\n\nconfig wifi-iface 'ours'\n\toption key 'another horse'\n"
    assert push(router, archive({"etc/config/wireless": ours})).state == "applied"
    found = router.root / "etc/config/wireless"
    assert "another horse" in found.read_text()
    assert found.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_files_stay_with_their_owners_and_go_back_to_them(router):
    wireless, banner = router.root / "etc/config/wireless", router.root / "etc/banner"
    os.chown(wireless, 1042, 1043)
    os.chown(banner, 1042, 1043)
    banner.chmod(0o640)
    before = held(router)["etc/banner"]
    ours = "package wireless\n\nconfig wifi-iface 'ours'\n\toption key 'another horse'\n"
    config = archive({"etc/config/wireless": ours, "etc/banner": "theirs\n"})
    assert push(router, config).state == "applied"
    for path in (wireless, banner):
        assert (path.stat().st_uid, path.stat().st_gid) == (1042, 1043)
    assert push(router, archive({})).state == "applied"
    after = held(router)
    assert after["etc/banner"] == before
    # uci writes the package itself, with an empty line at its beginning.
    assert look(wireless)[1:] == (0o100600, 1042, 1043)
    assert wireless.read_text().strip() == WIRELESS.strip()
    begin(router, config)
    restart(router)
    assert held(router) == after


def test_linux_recovers_by_a_unit_of_systemd(router):
    (router.root / "etc/rc.common").unlink()
    (router.root / "etc/systemd/system").mkdir(parents=True)
    before = held(router)
    begin(router, archive({"etc/new": "1\n"}))
    (unit,) = router.root.glob("etc/systemd/system/sysinit.target.wants/*")
    (line,) = [one for one in unit.read_text().splitlines() if one.startswith("ExecStart=")]
    restart(router)
    subprocess.run(["sh", "-c", line.removeprefix("ExecStart=")], check=True)
    assert held(router) == before
    assert not list(router.root.glob("etc/systemd/system/*.service"))
