"""The SSH driver against real OpenSSH servers and misbehaving ones."""

import asyncio
import os
import re
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager

import asyncssh
import pytest

from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.connections.drivers.contract import (
    OUTPUT_LIMIT,
    Address,
    HostKey,
    HostKeyChanged,
    Login,
    LoginRefused,
)
from controller.connections.drivers.ssh import Timeouts, open_shell
from controller.connections.drivers.tcp import probe, probe_many
from tests.fleet.ports import free_port
from tests.fleet.ssh import SshDevice, make_key
from tests.programs import works

QUICK = Timeouts(socket=0.5, handshake=1)


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    with SshDevice(tmp_path_factory.mktemp("device")) as device:
        yield device


def address_of(device):
    return Address(device.host, device.port)


def login_of(device, **changes):
    values = {"username": device.username, "private_key": device.private_key, **changes}
    return Login(**values)


def run(device, command, *, login=None, host_key=None, stdin=b"", timeout=10):
    async def call():
        login_ = login or login_of(device)
        async with open_shell(address_of(device), login_, host_key) as shell:
            return await shell.run(command, stdin=stdin, timeout=timeout)

    return asyncio.run(call())


def connect(address, login=None, **options):
    async def call():
        async with open_shell(address, login or Login("nobody", "x"), **options) as shell:
            return shell.host_key

    return asyncio.run(call())


@contextmanager
def server_that_says(greeting, *, closes=False):
    """Listen on a port and send each connection this greeting."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener, ExitStack() as open_:
        listener.setblocking(False)

        async def serve():
            loop = asyncio.get_running_loop()
            while True:
                connection, _ = await loop.sock_accept(listener)
                open_.callback(connection.close)
                if greeting:
                    await loop.sock_sendall(connection, greeting)
                if closes:
                    connection.close()

        yield Address("127.0.0.1", listener.getsockname()[1]), serve


def connect_beside(serve, address, **options):
    """Connect while ``serve`` runs in the same loop. Returns the raised error."""

    async def call():
        server = asyncio.create_task(serve())
        try:
            async with open_shell(address, Login("nobody", "x"), timeouts=QUICK, **options):
                pass
        except Refused as refusal:
            return refusal
        finally:
            server.cancel()

    return asyncio.run(call())


def test_a_command_reads_its_input_and_tells_its_output_and_status(device):
    result = run(device, "cat; echo told >&2; exit 7", stdin="grüße".encode())

    assert (result.exit_status, result.stdout, result.stderr) == (7, "grüße", "told\n")


def test_several_commands_share_a_connection(device):
    async def call():
        async with open_shell(address_of(device), login_of(device)) as shell:
            results = [await shell.run(f"echo {n}", timeout=5) for n in range(3)]
            return [result.stdout for result in results]

    assert asyncio.run(call()) == ["0\n", "1\n", "2\n"]


def test_output_is_kept_up_to_its_limit_and_the_command_still_ends_well(device):
    result = run(device, f"head -c {OUTPUT_LIMIT * 5} /dev/zero | tr '\\0' x")

    assert result.exit_status == 0
    assert result.stdout == "x" * OUTPUT_LIMIT


def test_input_that_nobody_reads_is_no_failure(device):
    assert run(device, "exit 3", stdin=b"x" * 5_000_000).exit_status == 3


def test_a_command_killed_by_a_signal_has_128_and_its_number(device):
    assert run(device, "kill -9 $$").exit_status == 137


def test_the_first_host_key_is_told_and_then_insisted_on(device):
    seen = connect(address_of(device), login_of(device))

    assert seen == HostKey.parse(device.host_key)
    assert connect(address_of(device), login_of(device), host_key=seen) == seen


def test_a_changed_host_key_is_refused_before_anybody_logs_in(tmp_path):
    with SshDevice(tmp_path) as device:
        other = HostKey.parse(make_key(tmp_path / "other").with_suffix(".pub").read_text())
        with pytest.raises(HostKeyChanged) as refusal:
            connect(address_of(device), login_of(device), host_key=other)

        assert other.fingerprint in str(refusal.value)
        assert HostKey.parse(device.host_key).fingerprint in str(refusal.value)
        assert not re.search("authenticating|Accepted|Failed", device.log)


def test_the_fingerprint_is_the_one_that_ssh_keygen_prints(device):
    printed = subprocess.run(
        ["ssh-keygen", "-lf", device.host_key_path.with_suffix(".pub")],
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert HostKey.parse(device.host_key).fingerprint in printed


def test_a_device_with_several_host_keys_shows_the_pinned_kind(tmp_path):
    key = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    key.write_private_key(tmp_path / "rsa")
    (tmp_path / "rsa").chmod(0o600)
    pinned = HostKey.parse(key.export_public_key().decode())

    with SshDevice(tmp_path / "device", options=[f"HostKey {tmp_path}/rsa"]) as device:
        assert connect(address_of(device), login_of(device)).kind == "ssh-ed25519"
        assert connect(address_of(device), login_of(device), host_key=pinned) == pinned


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 not-base64!"])
def test_a_host_key_that_is_none_is_refused(line):
    with pytest.raises(Refused):
        HostKey.parse(line)


def test_a_key_that_the_device_does_not_know_is_refused(device, tmp_path):
    stranger = make_key(tmp_path / "stranger").read_text()
    with pytest.raises(LoginRefused, match=r"refused the login of .* with a private key"):
        connect(address_of(device), login_of(device, private_key=stranger))


def encrypted(device, passphrase, kind="openssh"):
    key = asyncssh.import_private_key(device.private_key)
    return key.export_private_key(kind, passphrase, rounds=50).decode()


@pytest.mark.parametrize("kind", ["openssh", "pkcs8-pem"])
def test_an_encrypted_key_opens_with_its_passphrase_alone(device, kind):
    text = encrypted(device, "open sesame", kind)
    good = login_of(device, private_key=text, passphrase="open sesame")

    assert run(device, "echo in", login=good).stdout == "in\n"
    with pytest.raises(LoginRefused, match="passphrase does not open it"):
        connect(address_of(device), login_of(device, private_key=text, passphrase="wrong"))
    with pytest.raises(LoginRefused, match="store its passphrase"):
        connect(address_of(device), login_of(device, private_key=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no key",
        "schlüssel",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n",
        "PUBLIC",
        "HALF",
    ],
)
def test_a_key_that_cannot_be_read_is_refused_in_words(device, text):
    broken = {
        "PUBLIC": device.host_key,
        "HALF": device.private_key[: len(device.private_key) // 2],
    }.get(text, text)
    with pytest.raises(LoginRefused, match="cannot be read"):
        connect(address_of(device), login_of(device, private_key=broken))


def may_mount():
    return os.geteuid() == 0 and works("unshare", "-m", "true")


@pytest.mark.skipif(
    not may_mount(), reason="a server with accounts of its own needs root and mount namespaces"
)
def test_a_password_logs_in_and_a_wrong_one_is_refused(tmp_path):
    with SshDevice(tmp_path, accounts={"tester": "correct horse"}) as device:
        good = Login("tester", password="correct horse")
        assert run(device, "echo $USER", login=good).stdout == "tester\n"
        with pytest.raises(LoginRefused, match="with a password"):
            connect(address_of(device), Login("tester", password="wrong"))
        with pytest.raises(LoginRefused, match="nothing to prove it with"):
            connect(address_of(device), Login("tester"))


def test_secrets_are_not_in_the_repr_of_a_login():
    login = Login("admin", password="hunter2", private_key="PEM", passphrase="open")

    assert not re.search("hunter2|PEM|open", repr(login))


def test_a_dead_port_is_unreachable():
    with pytest.raises(Unreachable, match="connection refused"):
        connect(Address("127.0.0.1", free_port()))


def test_a_name_that_does_not_resolve_is_unreachable():
    with pytest.raises(Unreachable, match="could not be resolved"):
        connect(Address("x" * 70))


def test_a_port_without_a_banner_is_unreachable_and_holds_no_place_at_the_gate(device):
    async def call(silent):
        gate = asyncio.Semaphore(1)

        async def waits():
            async with open_shell(silent, Login("x"), gate=gate, timeouts=Timeouts(socket=60)):
                pass

        waiting = [asyncio.create_task(waits()) for _ in range(20)]
        await asyncio.sleep(0.1)
        async with open_shell(address_of(device), login_of(device), gate=gate) as shell:
            await shell.run("true", timeout=20)
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        with pytest.raises(Unreachable, match=r"sent no SSH banner within 0\.2 s"):
            async with open_shell(silent, Login("x"), timeouts=Timeouts(socket=0.2)):
                pass

    with server_that_says(b"") as (silent, _):
        asyncio.run(call(silent))


@pytest.mark.parametrize(
    ("greeting", "closes", "complaint"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", False, "it says 'HTTP/1.1 400 Bad Request'"),
        (b"Exceeded MaxStartups\r\n", True, "it says 'Exceeded MaxStartups'"),
        (b"", True, "closed the connection before it said anything"),
        (b"SSH-2.0-Tarpit\r\n", False, "did not finish the SSH handshake within 1 s"),
        (b"SSH-2.0-Gone\r\n", True, "broke off the SSH handshake"),
        (b"SSH-1.5-Ancient\r\n", False, "broke off the SSH handshake: Unsupported SSH version"),
        (b"SSH-2.0-Mad\r\n" + bytes(range(256)) * 9, False, "SSH handshake"),
    ],
)
def test_servers_that_speak_no_ssh_are_unreachable_in_words(greeting, closes, complaint):
    with server_that_says(greeting, closes=closes) as (address, serve):
        refusal = connect_beside(serve, address)

    assert isinstance(refusal, Unreachable)
    assert complaint in str(refusal)


def test_no_common_algorithm_is_told(tmp_path):
    old = ["KexAlgorithms diffie-hellman-group1-sha1"]
    with (
        SshDevice(tmp_path, options=old) as device,
        pytest.raises(Unreachable, match="share no way to talk"),
    ):
        connect(address_of(device), login_of(device))


def test_a_device_that_opens_no_session_has_done_nothing(tmp_path):
    with (
        SshDevice(tmp_path, options=["MaxSessions 0"]) as device,
        pytest.raises(Unreachable, match="runs no commands"),
    ):
        run(device, "true")


def test_a_connection_dropped_under_a_command_leaves_the_outcome_unknown(device):
    with pytest.raises(OutcomeUnknown, match="was lost while the command ran"):
        run(device, "kill -9 $PPID; sleep 5")


def test_a_command_that_takes_too_long_leaves_the_outcome_unknown(device):
    with pytest.raises(OutcomeUnknown, match=r"within 0\.3 s"):
        run(device, "sleep 5", timeout=0.3)


def test_a_probe_tells_the_banner_or_the_reason(device):
    found = asyncio.run(probe(address_of(device)))
    dead = asyncio.run(probe(Address("127.0.0.1", free_port())))

    assert found.reachable
    assert found.banner.startswith("SSH-2.0-OpenSSH")
    assert (dead.reachable, dead.banner) == (False, "")
    assert "connection refused" in dead.reason


def test_a_probe_without_banner_is_content_with_a_connection():
    with server_that_says(b"") as (silent, _):
        assert asyncio.run(probe(silent, banner=False)).reachable
        assert not asyncio.run(probe(silent, timeout=0.2)).reachable


def test_hundreds_are_probed_in_the_time_of_one():
    with ExitStack() as servers:
        silent = [servers.enter_context(server_that_says(b""))[0] for _ in range(300)]
        began = time.monotonic()
        found = asyncio.run(probe_many(silent, timeout=0.5))

    assert {probe.reachable for probe in found.values()} == {False}
    assert len(found) == 300
    # Run concurrently: sequentially this takes minutes.
    assert time.monotonic() - began < 30
