"""Pushes to real SSH servers: delivery, rollback and reported results."""

import asyncio
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from controller.base.errors import OutcomeUnknown
from controller.configs.drivers import STRATEGIES
from controller.configs.drivers.linux_files import LinuxFiles, pack, start_command
from controller.configs.drivers.runner import Connector, PushOrder, push_many, verify_many
from controller.connections.drivers.contract import Address, HostKey, HostKeyChanged, Login
from controller.connections.drivers.ssh import Timeouts
from tests.fleet.archives import archive
from tests.fleet.ports import free_port
from tests.fleet.ssh import Fleet, SshDevice, make_key
from tests.programs import works

SCRIPT = Path("controller/configs/drivers/linux")
STRATEGY = LinuxFiles(grace=1)
TOOLS = [
    "awk",
    "cp",
    "gzip",
    "head",
    "ln",
    "ls",
    "md5sum",
    "mkdir",
    "mv",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "setsid",
    "sleep",
    "stat",
    "tail",
    "tar",
    "timeout",
]
BUSYBOX = shutil.which("busybox")


@pytest.fixture
def device(tmp_path):
    with SshDevice(tmp_path / "device") as device:
        yield device


@pytest.fixture(params=["coreutils", "busybox"])
def either(request, tmp_path):
    """Return a device with full GNU tools, and one with busybox only."""
    environment = {}
    if request.param == "busybox":
        if BUSYBOX is None:
            pytest.skip("busybox is not installed (Debian: busybox-static)")
        tools = tmp_path / "tools"
        tools.mkdir()
        subprocess.run([BUSYBOX, "--install", "-s", tools], check=True)
        environment["PATH"] = str(tools)
    with SshDevice(tmp_path / "device", environment=environment) as device:
        yield device


def connector(device, **changes):
    login = Login(device.username, private_key=device.private_key)
    return Connector(Address(device.host, device.port), login, None, **changes)


def push(device, config, *, window=5.0, strategy=STRATEGY):
    return asyncio.run(strategy.push(config, window=window, connect=connector(device)))


def verify(device, config):
    return asyncio.run(STRATEGY.verify(config, connect=connector(device)))


def start(device, config, *, window):
    """Run only the first half of a push, without the confirmation."""

    async def call():
        async with connector(device)() as shell:
            result = await shell.run(
                start_command(config, window), stdin=pack(config), timeout=10
            )
            return result.stdout

    return asyncio.run(call())


def write(device, path, text, mode=0o644):
    target = device.root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text)
    target.chmod(mode)


def files(device):
    """Return path → (mode, text or link) of all files except the push's own state."""
    found = {}
    tops = [path for path in device.root.iterdir() if path.name != "var"]
    for path in sorted([*tops, *(path for top in tops for path in top.rglob("*"))]):
        name = str(path.relative_to(device.root))
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_file():
            found[name] = (stat.S_IMODE(path.stat().st_mode), path.read_text())
        else:
            found[name] = ("folder", "")
    return found


def hook(*lines):
    return ("#!/bin/sh\n" + "\n".join(lines) + "\n", 0o755)


def until(condition, seconds=20.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came about"
        time.sleep(0.05)


def journal(device):
    runs = device.root.glob("var/lib/muster/run.*/journal")
    return "".join(path.read_text() for path in runs)


def logins(device):
    return device.log.count("Accepted publickey")


def test_files_arrive_with_their_modes_and_hooks_learn_what_changed(either):
    write(either, "etc/hostname", "old\n")
    config = archive(
        {
            "etc/hostname": "new\n",
            "./etc/app/secret": ("s3cret\n", 0o600),
            "etc/app/new~file@1:a,b=c%": "odd\n",
            "etc/muster/reload.d/10-note": hook('echo "$MUSTER_CHANGED" >"$MUSTER_ROOT/note"'),
            "etc/muster/reload.d/20-off": ("#!/bin/sh\nexit 1\n", 0o644),
        }
    )

    outcome = push(either, config)

    assert (outcome.state, outcome.reason) == ("applied", "")
    held = files(either)
    assert held["etc/hostname"] == (0o644, "new\n")
    assert held["etc/app/secret"] == (0o600, "s3cret\n")
    assert held["etc/app/new~file@1:a,b=c%"] == (0o644, "odd\n")
    assert set((either.root / "note").read_text().split()) == {
        path.removeprefix("./") for path in _paths(config)
    }
    assert verify(either, config).state == "applied"


def _paths(config):
    listing = subprocess.run(
        ["tar", "tz"], input=config.content, capture_output=True, check=True
    ).stdout
    return listing.decode().split()


def test_a_push_is_confirmed_over_a_new_connection(device):
    assert push(device, archive({"etc/a": "1"})).state == "applied"
    assert logins(device) == 2


def test_the_state_on_the_device_is_closed_to_others(device):
    push(device, archive({"etc/a": ("1", 0o600)}))

    assert stat.S_IMODE((device.root / "var/lib/muster").stat().st_mode) == 0o700


def test_the_same_config_again_does_nothing(device):
    config = archive(
        {"etc/a": "1", "etc/muster/reload.d/1": hook('echo ran >>"$MUSTER_ROOT/ran"')}
    )
    push(device, config)
    before = logins(device)

    assert push(device, config).state == "applied"
    assert (device.root / "ran").read_text() == "ran\n"
    assert logins(device) == before + 1


def test_daemons_that_a_hook_starts_can_be_hung_up(device):
    config = archive(
        {"etc/muster/reload.d/1": hook('grep SigIgn /proc/self/status >"$MUSTER_ROOT/ignored"')}
    )
    push(device, config)

    ignored = int((device.root / "ignored").read_text().split()[1], 16)
    assert not ignored & 1 << (signal.SIGHUP - 1)


def test_only_a_difference_runs_the_hooks(device):
    noted = hook('echo "$MUSTER_CHANGED" >>"$MUSTER_ROOT/ran"')
    push(device, archive({"etc/a": "1", "etc/b": "1", "etc/muster/reload.d/1": noted}))
    push(device, archive({"etc/b": "1", "etc/a": "1", "etc/muster/reload.d/1": noted}))
    push(device, archive({"etc/a": "2", "etc/b": "1", "etc/muster/reload.d/1": noted}))
    push(
        device,
        archive({"etc/a": "2", "etc/b": ("1", 0o600), "etc/muster/reload.d/1": noted}),
    )

    assert [line.split() for line in (device.root / "ran").read_text().splitlines()[1:]] == [
        ["etc/a"],
        ["etc/b"],
    ]


def test_files_that_leave_the_config_give_way_to_what_was_there_before(either):
    write(either, "etc/motd", "ours\n", 0o640)
    write(either, "etc/same", "same\n", 0o600)
    (either.root / "etc/link").symlink_to("motd")
    before = files(either)
    managed = {"etc/motd": "theirs\n", "etc/same": ("same\n", 0o600), "etc/link": "a file\n"}

    push(either, archive({**managed, "etc/extra": "x\n"}))
    assert files(either)["etc/link"] == (0o644, "a file\n")
    push(either, archive({**managed, "etc/motd": "theirs again\n"}))
    assert "etc/extra" not in files(either)
    outcome = push(either, archive({}))

    assert outcome.state == "applied"
    assert files(either) == before
    assert verify(either, archive({})).state == "applied"


def test_a_failing_hook_brings_back_files_modes_links_and_absence(either):
    write(either, "etc/motd", "ours\n", 0o640)
    (either.root / "etc/link").symlink_to("motd")
    good = archive(
        {"etc/app": ("1\n", 0o600), "etc/muster/reload.d/5-count": hook("echo good")}
    )
    push(either, good)
    before = files(either)
    bad = archive(
        {
            "etc/motd": "theirs\n",
            "etc/link": "a file\n",
            "etc/app": "2\n",
            "etc/deep/er/file": "x\n",
            "etc/muster/reload.d/9-fail": hook(
                "echo first", "echo no such interface", "exit 4"
            ),
        }
    )

    outcome = push(either, bad)

    assert outcome.state == "failed"
    assert "hook 9-fail ended with status 4: no such interface" in outcome.reason
    # The previous hook ran again on the previous files.
    assert outcome.log.splitlines() == ["first", "no such interface", "good"]
    assert files(either) == before
    assert verify(either, bad) == outcome
    assert verify(either, good).state == "applied"


def test_what_is_not_confirmed_goes_back(either):
    write(either, "etc/a", "before")
    config = archive({"etc/a": "after", "etc/b": "new"})

    assert "state: waiting" in start(either, config, window=1)
    assert (either.root / "etc/a").read_text() == "after"
    until(lambda: "state: failed" in journal(either))

    assert files(either) == {"etc": ("folder", ""), "etc/a": (0o644, "before")}
    outcome = verify(either, config)
    assert outcome.state == "failed"
    assert "not confirmed within 1 s" in outcome.reason


def test_a_config_that_cuts_off_the_device_is_undone_by_the_device_alone(device):
    write(device, "etc/a", "before")
    server = device.folder / "sshd.pid"
    config = archive({"etc/a": "after", "etc/muster/reload.d/1": hook(f"kill $(cat {server})")})

    outcome = push(device, config, window=1)

    assert outcome.state == "unknown"
    assert "connection refused" in outcome.reason
    until(lambda: "state: failed" in journal(device))
    assert (device.root / "etc/a").read_text() == "before"
    device.stop()
    device.start()
    told = verify(device, config)
    assert told.state == "failed"
    assert "not confirmed within 1 s" in told.reason


def test_a_push_whose_connection_is_cut_is_confirmed_when_the_device_is_back(device):
    config = archive({"etc/a": "after", "etc/muster/reload.d/1": hook("sleep 1")})

    async def call():
        pushing = asyncio.create_task(
            STRATEGY.push(config, window=5, connect=connector(device))
        )
        await asyncio.to_thread(until, lambda: "state: applying" in journal(device))
        device.stop()
        await asyncio.sleep(0.3)
        device.start()
        return await pushing

    assert asyncio.run(call()).state == "applied"
    assert (device.root / "etc/a").read_text() == "after"


@pytest.mark.parametrize("verb", ["verify", "push"])
def test_a_killed_push_is_undone_at_the_next_word(either, verb):
    write(either, "etc/a", "before", 0o600)
    config = archive({"etc/a": "after", "etc/b/c": "new"})
    start(either, config, window=60)
    kill_runner(either)

    if verb == "verify":
        outcome = verify(either, config)
        assert outcome.state == "failed"
        assert "interrupted" in outcome.reason
        assert files(either) == {"etc": ("folder", ""), "etc/a": (0o600, "before")}
    else:
        assert push(either, config).state == "applied"
        assert push(either, archive({})).state == "applied"
        assert files(either)["etc/a"] == (0o600, "before")


def kill_runner(device):
    runner = journal(device).split("runner: ")[1].split(":")[0]
    os.kill(int(runner), signal.SIGKILL)


def test_a_push_killed_after_its_confirmation_stays(device):
    config = archive({"etc/a": "after"})
    start(device, config, window=60)
    kill_runner(device)
    (run,) = device.root.glob("var/lib/muster/run.*")
    (run / "decided").symlink_to("confirmed")

    assert verify(device, config).state == "applied"
    assert (device.root / "etc/a").read_text() == "after"


def test_of_two_pushes_at_once_one_is_busy(device):
    slow = archive({"etc/a": "1", "etc/muster/reload.d/1": hook("sleep 1")})
    quick = archive({"etc/a": "2"})

    async def call():
        first = asyncio.create_task(STRATEGY.push(slow, window=5, connect=connector(device)))
        await asyncio.to_thread(until, lambda: "state: applying" in journal(device))
        second = await STRATEGY.push(quick, window=5, connect=connector(device))
        at_work = await STRATEGY.verify(slow, connect=connector(device))
        return await first, second, at_work

    first, second, at_work = asyncio.run(call())

    assert (first.state, second.state, at_work.state) == ("applied", "busy", "unknown")
    assert (device.root / "etc/a").read_text() == "1"
    assert push(device, quick).state == "applied"
    left = [path.name for path in (device.root / "var/lib/muster").iterdir()]
    assert not [name for name in left if name.startswith("incoming")]
    assert len([name for name in left if name.startswith("lock")]) == 1


def test_of_many_starts_at_the_same_moment_only_one_works(device):
    configs = [archive({"etc/a": str(n)}) for n in range(8)]

    async def call():
        pushes = [STRATEGY.push(one, window=5, connect=connector(device)) for one in configs]
        return await asyncio.gather(*pushes)

    outcomes = asyncio.run(call())

    # Starting after another push has ended is fine, too; none may fail midway.
    assert {outcome.state for outcome in outcomes} <= {"applied", "busy"}
    last = [n for n in range(8) if verify(device, configs[n]).state == "applied"]
    assert [str(n) for n in last] == [(device.root / "etc/a").read_text()]


def test_files_changed_by_hand_are_told_and_pushed_anew(either):
    config = archive({"etc/a": "1", "etc/b": ("1", 0o600), "etc/c": "1", "etc/d": "1"})
    push(either, config)
    write(either, "etc/a", "hacked")
    (either.root / "etc/b").chmod(0o644)
    (either.root / "etc/c").unlink()

    outcome = verify(either, config)
    assert outcome.state == "applied"
    assert outcome.drift == ("etc/a", "etc/b", "etc/c")
    assert "etc/a, etc/b, etc/c" in outcome.reason

    assert push(either, config).state == "applied"
    assert verify(either, config).drift == ()
    assert files(either)["etc/b"] == (0o600, "1")


UNSAFE = {
    # busybox sanitizes these in its listing and says so.
    "../outside": "plain path|unsafe paths",
    "/etc/a": "plain path|unsafe paths",
    "etc/../../outside": "plain path|unsafe paths",
    "etc/my file": "characters other than",
    "etc/a;b": "characters other than",
    "etc/$(id)": "characters other than",
    "etc/*": "characters other than",
    "etc/größe": "characters other than",
    "etc/a\nb": "characters other than|not a regular file",
    "-rf": "begins with a dash",
    "var/lib/muster/applied": "belongs to the push itself",
    "etc/folder": "is a folder on the device",
    "etc/linked/a": "etc/linked is a symbolic link",
    "etc/linked/deep/a": "etc/linked is a symbolic link",
    "etc/file/a": "etc/file is not a folder",
    "etc/first": "in the archive twice",
}


def test_unsafe_paths_are_refused_and_nothing_is_changed(either, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (either.root / "etc/folder").mkdir(parents=True)
    (either.root / "etc/linked").symlink_to(tmp_path / "elsewhere")
    write(either, "etc/file", "x")
    before = files(either)
    outcomes = {
        path: push(either, archive([("etc/first", "x"), (path, "x")])) for path in UNSAFE
    }

    assert {outcome.state for outcome in outcomes.values()} == {"failed"}
    said = {path: outcome.reason for path, outcome in outcomes.items()}
    assert {
        path: said[path] for path in UNSAFE if not re.search(UNSAFE[path], said[path])
    } == {}
    assert files(either) == before
    assert not list((tmp_path / "elsewhere").iterdir())
    assert not list(tmp_path.rglob("outside"))


def test_links_in_an_archive_are_refused(either):
    outcome = push(either, archive({"etc/a": "x"}, links={"etc/evil": "/etc"}))

    assert (outcome.state, files(either)) == ("failed", {})
    assert "not a regular file" in outcome.reason


def test_a_link_at_the_target_is_replaced_and_never_written_through(either, tmp_path):
    (tmp_path / "outside").write_text("safe")
    (tmp_path / "folder").mkdir()
    (either.root / "etc").mkdir()
    (either.root / "etc/a").symlink_to(tmp_path / "outside")
    (either.root / "etc/b").symlink_to(tmp_path / "folder")

    assert push(either, archive({"etc/a": "ours", "etc/b": "ours"})).state == "applied"

    assert (tmp_path / "outside").read_text() == "safe"
    assert not list((tmp_path / "folder").iterdir())
    assert files(either)["etc/b"] == (0o644, "ours")


def test_damaged_archives_are_refused(either):
    good = archive({"etc/a": "x"})
    torn = type(good)(good.content[:-9], good.checksum)
    no_tar = type(good)(b"hello", "5d41402abc4b2a76b9719d911017c592")

    assert "damaged" in push(either, torn).reason
    assert "no tar.gz" in push(either, no_tar).reason
    assert files(either) == {}


def test_verify_tells_a_config_that_never_arrived(device):
    other = archive({"etc/a": "2"})
    assert "holds no config of ours" in verify(device, other).reason

    push(device, archive({"etc/a": "1"}))
    outcome = verify(device, other)

    assert outcome.state == "absent"
    assert f"{archive({'etc/a': '1'}).checksum}. Push again" in outcome.reason


def test_a_device_that_cannot_be_written_says_so(tmp_path):
    tools = tmp_path / "empty"
    tools.mkdir()
    (tools / "sh").symlink_to("/bin/sh")
    with SshDevice(tmp_path / "device", environment={"PATH": str(tools)}) as device:
        outcome = push(device, archive({"etc/a": "1"}))

    assert outcome.state == "failed"
    assert "needs sh, tar" in outcome.reason


def test_a_device_that_cannot_answer_now_leaves_it_open(device):
    config = archive(
        {
            "etc/a": "after",
            "etc/muster/reload.d/1": hook('mv "$MUSTER_ROOT/bin" "$MUSTER_ROOT/gone"'),
        }
    )
    tools = device.root / "bin"
    tools.mkdir(parents=True)
    (tools / "sh").symlink_to("/bin/sh")
    device.environment["PATH"] = f"{tools}"
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name))
    device.stop()
    device.start()

    outcome = push(device, config, window=1)

    assert outcome.state == "unknown"
    assert "needs sh, tar" in outcome.reason
    assert verify(device, config).state == "unknown"


def test_dead_devices_and_refused_logins_are_told_apart(device, tmp_path):
    config = archive({"etc/a": "1"})
    dead = Connector(Address("127.0.0.1", free_port()), Login("x"), None)
    stranger = Connector(
        Address(device.host, device.port),
        Login(device.username, private_key=make_key(tmp_path / "other").read_text()),
        None,
    )

    outcomes = [
        asyncio.run(act)
        for act in (
            STRATEGY.push(config, window=1, connect=dead),
            STRATEGY.verify(config, connect=dead),
            STRATEGY.push(config, window=1, connect=stranger),
        )
    ]

    assert [outcome.state for outcome in outcomes] == ["unreachable", "unreachable", "failed"]
    assert "refused the login" in outcomes[2].reason


def test_what_a_connector_trusts_at_first_it_insists_on(device):
    connect = connector(device)

    async def once():
        async with connect():
            pass

    asyncio.run(once())
    assert connect.host_key == HostKey.parse(device.host_key)
    device.stop()
    for path in (device.host_key_path, device.host_key_path.with_suffix(".pub")):
        path.unlink()
    make_key(device.host_key_path)
    device.start()
    with pytest.raises(HostKeyChanged):
        asyncio.run(once())


def test_fifty_devices_at_once_and_the_dead_ones_hold_up_nobody(tmp_path):
    config = archive({f"etc/config/{n}": f"{n}\n" * 20 for n in range(5)})
    results, verified = {}, {}

    async def on_done(result):
        results[result.id] = result
        if result.id == "7":
            raise RuntimeError("a caller that fails for one result still gets the others")

    async def on_verified(result):
        verified[result.id] = result.outcome

    with Fleet(45, tmp_path) as fleet, ExitStack() as silent:
        addresses = [Address(device.host, device.port) for device in fleet.devices]
        addresses += [Address("127.0.0.1", free_port()) for _ in range(2)]
        for _ in range(3):
            mute = silent.enter_context(socket.create_server(("127.0.0.1", 0)))
            addresses.append(Address("127.0.0.1", mute.getsockname()[1]))
        login = Login(fleet.devices[0].username, private_key=fleet.devices[0].private_key)
        orders = [
            PushOrder(str(n), "linux-files", address, login, config, window=10)
            for n, address in enumerate(addresses)
        ]
        timeouts = Timeouts(socket=3)
        asyncio.run(push_many(orders, on_done=on_done, timeouts=timeouts))
        asyncio.run(verify_many(orders[40:45], on_done=on_verified, timeouts=timeouts))
        states = [results[str(n)].outcome.state for n in range(50)]

        assert states == ["applied"] * 45 + ["unreachable"] * 5
        assert results["3"].host_key == HostKey.parse(fleet.devices[3].host_key)
        assert results["49"].host_key is None
        assert {path.root.joinpath("etc/config/4").read_text() for path in fleet.devices} == {
            "4\n" * 20
        }
        assert [outcome.state for outcome in verified.values()].count("applied") == 5


def test_a_batch_gives_up_on_a_device_at_its_deadline_and_knows_its_strategies(device):
    outcomes = {}

    async def on_done(result):
        outcomes[result.id] = result.outcome

    config = archive({"etc/muster/reload.d/1": hook("sleep 1.5")})
    login = Login(device.username, private_key=device.private_key)
    address = Address(device.host, device.port)
    orders = [
        PushOrder("slow", "linux-files", address, login, config, window=1),
        PushOrder("odd", "carrier-pigeon", address, login, config),
    ]
    asyncio.run(push_many(orders, on_done=on_done, deadline=0.6))

    assert outcomes["slow"].state == "unknown"
    assert outcomes["odd"].state == "failed"
    assert "linux-files, openwrt-agent" in outcomes["odd"].reason
    until(lambda: "state: failed" in journal(device))


@pytest.mark.parametrize("name", ["openwisp-config", "openwisp_config"])
def test_the_agent_is_woken_if_it_runs(name, device, tmp_path):
    """Versions until 1.1 of the agent have an underscore in their name."""
    strategy = STRATEGIES["openwrt-agent"]
    program = tmp_path / name
    # Like the real one, it waits in a subshell of its own name.
    program.write_text(
        f"#!/bin/sh\ntrap 'echo woken >>{tmp_path}/woken' USR1\n"
        f"( touch {tmp_path}/ready; sleep 30; true ) &\n"
        "while :; do sleep 0.1; done\n"
    )
    program.chmod(0o755)
    config = archive({"etc/a": "1"})
    act = {"window": 1, "connect": connector(device)}
    agent = subprocess.Popen([program], start_new_session=True)
    try:
        until((tmp_path / "ready").exists)
        assert asyncio.run(strategy.push(config, **act)).state == "woken"
        until((tmp_path / "woken").exists)
    finally:
        os.killpg(agent.pid, signal.SIGKILL)
        agent.wait()

    outcome = asyncio.run(strategy.push(config, **act))
    assert outcome.state == "failed"
    assert "agent is not running" in outcome.reason


def test_the_agents_checksum_tells_whether_it_applied(device):
    strategy = STRATEGIES["openwrt-agent"]
    config = archive({"etc/a": "1"})
    connect = connector(device)

    assert asyncio.run(strategy.verify(config, connect=connect)).state == "unknown"
    write(device, "etc/openwisp/checksum", config.checksum + "\n")
    assert asyncio.run(strategy.verify(config, connect=connect)).state == "applied"


@pytest.mark.parametrize("shell", [["dash"], ["bash", "--posix"], ["busybox", "sh"]])
def test_the_script_is_read_by_every_shell(shell):
    if not works(*shell, "-c", "true"):
        pytest.skip(f"{shell[0]} is not installed")
    script = b"".join(part.read_bytes() for part in sorted(SCRIPT.iterdir()))
    subprocess.run([*shell, "-n"], input=script, check=True)


def test_a_silent_device_leaves_the_outcome_of_verify_open(device):
    class Mute:
        host_key = HostKey.parse(device.host_key)

        async def run(self, command, *, stdin=b"", timeout):
            raise OutcomeUnknown("lost")

    class Connection:
        async def __aenter__(self):
            return Mute()

        async def __aexit__(self, *_):
            return None

    config = archive({"etc/a": "1"})
    assert asyncio.run(STRATEGY.verify(config, connect=Connection)).state == "unknown"
