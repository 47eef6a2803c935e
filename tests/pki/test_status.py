"""Public endpoints, queried by openssl over HTTP."""

import base64

import pytest
from django.test import Client

from pki import rules
from pki.models import Reason
from tests import factories
from tests.pki.oracle import openssl, written

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ca(organization):
    return factories.ca(organization)


@pytest.mark.parametrize("kind", ["2048", "256", "ed25519"])
def test_openssl_asks_the_responder_and_believes_it(live_server, organization, kind, tmp_path):
    ca = factories.ca(organization, key_length=kind)
    cert = factories.cert(ca)
    issuer = written(tmp_path, "ca.pem", ca.certificate)
    asked = written(tmp_path, "cert.pem", cert.certificate)
    url = ("-url", f"{live_server.url}/pki/ocsp/")
    ask = ("ocsp", "-issuer", issuer, "-CAfile", issuer, *url, "-cert", asked)
    answer = openssl(*ask)
    assert "Response verify OK" in answer
    assert "cert.pem: good" in answer
    rules.revoke(cert, reason=Reason.KEY_COMPROMISE)
    answer = openssl("ocsp", "-sha256", *ask[1:])
    assert "cert.pem: revoked" in answer
    assert "Reason: keyCompromise" in answer
    unknown = openssl("ocsp", "-issuer", issuer, "-CAfile", issuer, *url, "-serial", "77")
    assert "77: unknown" in unknown
    other = written(tmp_path, "other.pem", factories.ca(organization).certificate)
    refused = openssl("ocsp", "-issuer", other, *url, "-serial", "77", "-CAfile", other)
    assert "77: unknown" in refused


def test_an_authority_that_is_not_here_is_not_answered_for(live_server, tmp_path):
    from tests.pki.oracle import authority, pem

    issuer = written(tmp_path, "ca.pem", pem(*authority("Elsewhere").chain()))
    url = f"{live_server.url}/pki/ocsp/"
    answer = openssl("ocsp", "-issuer", issuer, "-serial", "7", "-url", url, fails=True)
    assert "unauthorized" in answer


def test_openssl_fetches_the_list_by_the_address_in_the_certificate(
    live_server, settings, organization, tmp_path
):
    settings.MUSTER_PUBLIC_URL = live_server.url
    ca = factories.ca(organization)
    good, bad = factories.cert(ca), factories.cert(ca)
    rules.revoke(bad)
    anchors = written(tmp_path, "ca.pem", ca.certificate)
    check = ("verify", "-crl_check", "-crl_download", "-CAfile", anchors)
    assert "OK" in openssl(*check, written(tmp_path, "good.pem", good.certificate))
    answer = openssl(*check, written(tmp_path, "bad.pem", bad.certificate), fails=True)
    assert "certificate revoked" in answer


def test_the_list_is_public_cacheable_and_fresh(client: Client, ca):
    url = f"/pki/crl/{ca.pk}"
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/pkix-crl"
    assert "max-age=300" in answer["Cache-Control"]
    assert "crlNumber" in openssl("crl", "-inform", "DER", "-noout", "-crlnumber",
                                  given=answer.content)  # fmt: skip
    again = client.get(url, headers={"If-None-Match": answer["ETag"]})
    assert again.status_code == 304
    assert not again.content
    rules.revoke(factories.cert(ca))
    assert client.get(url, headers={"If-None-Match": answer["ETag"]}).status_code == 200
    pem = client.get(f"{url}.pem")
    assert pem.content.startswith(b"-----BEGIN X509 CRL-----")
    assert client.get("/pki/crl/999").status_code == 404


def test_the_authoritys_certificate_is_public_and_its_key_is_not(client: Client, ca):
    answer = client.get(f"/pki/ca/{ca.pk}.crt")
    assert answer["Content-Type"] == "application/pkix-cert"
    assert ca.name in openssl(
        "x509", "-inform", "DER", "-noout", "-subject", given=answer.content
    )
    assert b"PRIVATE" not in answer.content


def test_a_question_in_the_path_is_answered_and_may_be_cached(client: Client, ca, tmp_path):
    cert = factories.cert(ca)
    issuer = written(tmp_path, "ca.pem", ca.certificate)
    asked = written(tmp_path, "cert.pem", cert.certificate)
    request = tmp_path / "request.der"
    openssl("ocsp", "-no_nonce", "-issuer", issuer, "-cert", asked, "-reqout", request)
    encoded = base64.b64encode(request.read_bytes()).decode().replace("+", "%2B")
    answer = client.get(f"/pki/ocsp/{encoded}")
    assert "max-age" in answer["Cache-Control"]
    response = written(tmp_path, "answer.der", answer.content)
    shown = openssl("ocsp", "-respin", response, "-CAfile", issuer, "-issuer", issuer,
                    "-cert", asked, "-no_nonce")  # fmt: skip
    assert "cert.pem: good" in shown


@pytest.mark.parametrize("body", [b"", b"x", b"\x30\x80", b"0" * 100_000])
def test_a_malformed_question_is_answered_as_such(client: Client, body):
    answer = client.post("/pki/ocsp/", body, content_type="application/ocsp-request")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/ocsp-response"
    assert answer.content == bytes([0x30, 3, 0x0A, 1, 1])


@pytest.mark.parametrize("path", ["", "x", "%ff", "a" * 3000, "MAA="])
def test_a_malformed_path_is_answered_as_such(client: Client, path):
    answer = client.get(f"/pki/ocsp/{path}")
    assert (answer.status_code, answer.content) == (200, bytes([0x30, 3, 0x0A, 1, 1]))
