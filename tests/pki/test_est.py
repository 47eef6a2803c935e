"""EST with curl and openssl, as on a device without an EST client."""

import base64
import subprocess

import pytest

from pki.models import Cert
from tests import factories
from tests.pki.oracle import openssl, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def device(organization):
    return factories.device(organization, name="Router-1")


@pytest.fixture
def ca(organization):
    return factories.ca(organization, enrollment="devices")


def basic(device, key=""):
    text = f"{device.pk}:{key or device.key}"
    return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}


def csr_for(folder, *options, subject="/CN=router-1"):
    key = folder / "device.key"
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
    der = folder / "device.csr"
    openssl(
        "req", "-new", "-key", key, "-subj", subject, "-outform", "DER", "-out", der, *options
    )
    return base64.encodebytes(der.read_bytes())


def ask(client, ca, body, headers, path="simpleenroll"):
    return client.post(
        f"/.well-known/est/{ca.pk}/{path}",
        body,
        content_type="application/pkcs10",
        headers=headers,
    )


def certificates(answer):
    assert answer.status_code == 200, answer.content
    assert answer["Content-Type"] == "application/pkcs7-mime; smime-type=certs-only"
    der = base64.b64decode(answer.content)
    return openssl("pkcs7", "-inform", "DER", "-print_certs", given=der)


@pytest.mark.django_db(transaction=True)
def test_curl_and_openssl_enroll_a_device(live_server, ca, device, tmp_path):
    body = written(tmp_path, "csr.b64", csr_for(tmp_path))
    base = f"{live_server.url}/.well-known/est/{ca.pk}"
    trusted, got = tmp_path / "cacerts.b64", tmp_path / "cert.b64"
    subprocess.run(["curl", "-sf", f"{base}/cacerts", "-o", trusted], check=True, timeout=20)
    subprocess.run(
        ["curl", "-sf", "-u", f"{device.pk}:{device.key}", "--data-binary", f"@{body}",
         "-H", "Content-Type: application/pkcs10", f"{base}/simpleenroll", "-o", got],
        check=True, timeout=20,
    )  # fmt: skip
    files = []
    for path in (trusted, got):
        der = base64.b64decode(path.read_bytes())
        text = openssl("pkcs7", "-inform", "DER", "-print_certs", given=der)
        files.append(written(tmp_path, f"{path.stem}.pem", text))
    assert "OK" in openssl("verify", "-CAfile", files[0], "-purpose", "sslclient", files[1])
    public = openssl("pkey", "-in", tmp_path / "device.key", "-pubout")
    assert openssl("x509", "-in", files[1], "-noout", "-pubkey") == public


def test_enrolling_again_puts_the_new_key_in_the_same_row(client, ca, device, tmp_path):
    certificates(ask(client, ca, csr_for(tmp_path), basic(device)))
    first = Cert.objects.get()
    certificates(ask(client, ca, csr_for(tmp_path), basic(device), "simplereenroll"))
    second = Cert.objects.get()
    assert first.pk == second.pk
    assert first.parsed_key != second.parsed_key
    assert (second.organization, second.private_key) == (device.organization, "")


def test_only_a_device_with_its_key_is_served(client, ca, device, tmp_path):
    body = csr_for(tmp_path)
    for headers in ({}, basic(device, "wrong"), {"Authorization": "Basic !"},
                    {"Authorization": "Bearer x"}, {"Authorization": "Basic " + "A" * 5000}):  # fmt: skip
        answer = ask(client, ca, body, headers)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Basic")
    stranger = factories.device(factories.organization())
    assert ask(client, ca, body, basic(stranger)).status_code == 403
    device.is_deactivated = True
    device.save()
    assert ask(client, ca, body, basic(device)).status_code == 401
    assert not Cert.objects.exists()


def test_a_device_asks_for_its_own_names_alone(client, ca, device, tmp_path):
    for subject, options, status in [
        ("/CN=router-2", (), 403),
        ("/O=nobody", (), 403),
        ("/CN=router-1", ("-addext", "subjectAltName=DNS:router-2"), 403),
        ("/CN=router-1", ("-addext", "subjectAltName=IP:10.0.0.1"), 400),
        (f"/CN={device.pk}", ("-addext", "subjectAltName=DNS:router-1"), 200),
    ]:
        body = csr_for(tmp_path, *options, subject=subject)
        assert ask(client, ca, body, basic(device)).status_code == status, (subject, options)


@pytest.mark.parametrize("body", [b"", b"!", b"AAAA", b"x" * 100_000, b"-----BEGIN X-----"])
def test_what_is_no_request_is_a_400(client, ca, device, body):
    answer = ask(client, ca, body, basic(device))
    assert answer.status_code == 400


def test_an_authority_that_is_not_open_is_not_there(client, organization, device):
    ca = factories.ca(organization)
    assert client.get(f"/.well-known/est/{ca.pk}/cacerts").status_code == 404
    assert ask(client, ca, b"", basic(device)).status_code == 404


def test_what_is_asked_of_requests_is_nothing_special(client, ca):
    assert client.get(f"/.well-known/est/{ca.pk}/csrattrs").status_code == 204
    assert certificates(client.get(f"/.well-known/est/{ca.pk}/cacerts")).count("BEGIN") == 1
