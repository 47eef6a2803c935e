"""TLS handshakes of third-party programs with issued and revoked certificates."""

import re
import socket
import subprocess
import time
from contextlib import contextmanager

import pytest

from pki import rules
from tests import factories
from tests.fleet.ports import free_port
from tests.pki.oracle import openssl, written

pytestmark = pytest.mark.django_db
WAIT_SECONDS = 20
SERVER = [{"name": "extendedKeyUsage", "value": "serverAuth"}]
CLIENT = [{"name": "extendedKeyUsage", "value": "clientAuth"}]


@contextmanager
def running(log, *command):
    """Run a program with its output in a file, and stop it at the end."""
    with log.open("wb") as output:
        program = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield program
        finally:
            program.kill()
            program.wait()
            program.stdin.close()


def until(log, pattern):
    """Wait for a line of the log; on timeout the test fails with the whole log."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(errors="replace")
        if re.search(pattern, text):
            return text
        time.sleep(0.02)
    raise AssertionError(f"no {pattern} in:\n{log.read_text(errors='replace')}")


@pytest.fixture(params=["2048", "256", "ed25519"])
def files(request, organization, tmp_path):
    """Write keys and certificates of a root and an intermediate to disk."""
    root = factories.ca(organization, key_length=request.param)
    ca = factories.ca(organization, key_length=request.param, issuer=root)

    def put(name, cert):
        written(tmp_path, f"{name}.pem", cert.bundle)
        written(tmp_path, f"{name}.key", cert.private_key)
        return cert

    make_cert = {"key_length": request.param}
    put("server", factories.cert(ca, name="localhost", extensions=SERVER, **make_cert))
    put("good", factories.cert(ca, extensions=CLIENT, **make_cert))
    rules.revoke(put("bad", factories.cert(ca, extensions=CLIENT, **make_cert)))
    rules.revoke(put("bad-server", factories.cert(ca, extensions=SERVER, **make_cert)))
    written(tmp_path, "root.pem", root.certificate)
    written(tmp_path, "chain.pem", ca.bundle)
    written(tmp_path, "list.pem", rules.current_list(ca).pem)
    lists = [rules.current_list(one).pem for one in (ca, root)]
    written(tmp_path, "lists.pem", "".join(lists))
    return tmp_path


def trust(folder):
    return ("-CAfile", folder / "root.pem", "-CRL", folder / "list.pem", "-crl_check")


def identity(folder, name):
    own = ("-cert", folder / f"{name}.pem", "-key", folder / f"{name}.key")
    return (*own, "-cert_chain", folder / "chain.pem")


@contextmanager
def tls_server(folder, name="server"):
    port, log = free_port(), folder / "server.log"
    command = ("openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-Verify", "3",
               "-verify_return_error", *identity(folder, name), *trust(folder))  # fmt: skip
    with running(log, *map(str, command)):
        until(log, "ACCEPT")
        yield f"127.0.0.1:{port}", log


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_tls_in_both_directions(files, version):
    with tls_server(files) as (address, log):
        shown = openssl("s_client", "-connect", address, version, "-verify_return_error",
                        *identity(files, "good"), *trust(files), given="Q\n")  # fmt: skip
        assert "Verify return code: 0 (ok)" in shown
        until(log, "Client certificate")


def test_a_revoked_client_is_refused_by_a_tls_server(files):
    with tls_server(files) as (address, log):
        openssl("s_client", "-connect", address, "-tls1_2", *identity(files, "bad"),
                *trust(files), given="Q\n", fails=True)  # fmt: skip
        assert "certificate revoked" in until(log, "verify error")


def test_a_revoked_server_is_refused_by_a_tls_client(files):
    with tls_server(files, "bad-server") as (address, _):
        shown = openssl("s_client", "-connect", address, "-verify_return_error",
                        *identity(files, "good"), *trust(files), given="Q\n", fails=True)  # fmt: skip
        assert "certificate revoked" in shown


@contextmanager
def openvpn_server(folder):
    port, log = free_port(socket.SOCK_DGRAM), folder / "vpn-server.log"
    with running(
        log, "openvpn", "--tls-server", "--dev", "null", "--proto", "udp", "--dh", "none",
        "--local", "127.0.0.1", "--port", str(port),
        "--ca", str(folder / "root.pem"), "--cert", str(folder / "server.pem"),
        "--key", str(folder / "server.key"), "--crl-verify", str(folder / "lists.pem"),
        "--remote-cert-tls", "client", "--verb", "3",
    ):  # fmt: skip
        until(log, "link remote")
        yield port, log


def openvpn_client(folder, port, name):
    log = folder / "vpn-client.log"
    return log, running(
        log, "openvpn", "--tls-client", "--dev", "null", "--proto", "udp",
        "--nobind", "--remote", "127.0.0.1", str(port), "--ca", str(folder / "root.pem"),
        "--cert", str(folder / f"{name}.pem"), "--key", str(folder / f"{name}.key"),
        "--remote-cert-tls", "server", "--verify-x509-name", "localhost", "name",
        "--verb", "3", "--tls-timeout", "1",
    )  # fmt: skip


def test_openvpn_connects_with_issued_certificates(files):
    with openvpn_server(files) as (port, server):
        log, client = openvpn_client(files, port, "good")
        with client:
            for side in (log, server):
                until(side, "Peer Connection Initiated")
                until(side, "Initialization Sequence Completed")


def test_openvpn_refuses_a_revoked_client(files):
    with openvpn_server(files) as (port, server):
        _, client = openvpn_client(files, port, "bad")
        with client:
            text = until(server, "TLS Error: TLS handshake failed|certificate revoked")
            assert "certificate revoked" in text
            assert "Peer Connection Initiated" not in text


def test_openssl_verify_refuses_by_the_list(files):
    check = ("verify", "-crl_check_all", "-CAfile", files / "root.pem", "-CRLfile",
             files / "lists.pem", "-untrusted")  # fmt: skip
    assert "OK" in openssl(*check, files / "good.pem", files / "good.pem")
    refused = openssl(*check, files / "bad.pem", files / "bad.pem", fails=True)
    assert "certificate revoked" in refused
