"""Admin pages of CAs and certificates."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from pki import rules
from pki.models import Ca, Cert
from tests import factories
from tests.pki.broken import AUTHORITIES, issued
from tests.pki.oracle import openssl, written

pytestmark = pytest.mark.django_db
CA, CERT = "/admin/pki/ca/", "/admin/pki/cert/"
EMPTY = dict.fromkeys(
    (
        "notes", "common_name", "country_code", "state", "city", "organization_name",
        "organizational_unit_name", "email", "validity_end_0", "validity_end_1",
        "more_extensions", "certificate", "private_key", "passphrase", "purpose", "names",
        "issuer",
    ),
    "",
) | {"key_length": "256", "digest": "sha256"}  # fmt: skip


def signed_in(user):
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def manager(organization):
    return signed_in(factories.user(organization, is_staff=True))


@pytest.fixture
def operator(organization):
    return signed_in(factories.user(organization, "operator", is_staff=True))


@pytest.fixture
def ca(organization):
    return factories.ca(organization, name="Our CA")


@pytest.fixture
def cert(ca):
    return factories.cert(ca, name="router-1")


def test_a_ca_and_a_certificate_are_made_with_words_for_extensions(manager, organization):
    answer = manager.post(
        f"{CA}add/", EMPTY | {"name": "Office", "organization": organization.pk}
    )
    assert answer.status_code == 302, answer.content.decode()
    ca = Ca.objects.get()
    assert (ca.common_name, ca.key_length) == ("Office", "256")
    wanted = {
        "name": "vpn", "organization": organization.pk, "ca": ca.pk, "purpose": "serverAuth",
        "names": "vpn.example.org\nIP:192.0.2.1", "more_extensions": "nsComment = made, here\n"
        "keyUsage = critical, digitalSignature\n1.3.6.1.4.1.9 = ASN1:UTF8:string:x",
    }  # fmt: skip
    answer = manager.post(f"{CERT}add/", EMPTY | wanted)
    assert answer.status_code == 302, answer.content.decode()
    text = openssl("x509", "-noout", "-text", given=Cert.objects.get().certificate)
    assert "DNS:vpn.example.org, IP Address:192.0.2.1" in text
    assert "TLS Web Server Authentication" in text
    assert "X509v3 Key Usage: critical\n                Digital Signature\n" in text
    assert "made, here" in text


def test_an_import_takes_what_the_certificate_says(manager, organization):
    made = issued()
    wanted = {
        "name": "Imported", "organization": organization.pk,
        "certificate": made["ca"], "private_key": made["ca_key"],
    }  # fmt: skip
    answer = manager.post(f"{CA}add/", EMPTY | wanted | {"key_length": "4096"})
    assert answer.status_code == 302, answer.content.decode()
    assert Ca.objects.get().common_name == "Sound CA"


@pytest.mark.parametrize(
    "name", ["the two swapped", "the key of another", "the wrong passphrase"]
)
def test_a_refused_import_says_why_under_its_field(manager, organization, name):
    fields, field, _ = AUTHORITIES[name]()
    wanted = EMPTY | {"name": "x", "organization": organization.pk} | fields
    answer = manager.post(f"{CA}add/", wanted)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors[field]
    assert not Ca.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"more_extensions": "nonsense"}, "more_extensions"),
        ({"more_extensions": "keyUsage = fly"}, "more_extensions"),
        ({"names": "IP:300.1.1.1"}, "more_extensions"),
        ({"country_code": "I1"}, "country_code"),
        ({"validity_end_0": "1999-01-01", "validity_end_1": "00:00"}, "validity_end"),
    ],
)
def test_a_bad_value_is_told_under_its_field(manager, organization, ca, values, field):
    wanted = {"name": "x", "organization": organization.pk, "ca": ca.pk}
    answer = manager.post(f"{CERT}add/", EMPTY | wanted | values)
    assert answer.status_code == 200
    assert answer.context["adminform"].form.errors[field]


def test_pages_tell_plain_words_and_never_a_key(manager, ca, cert):
    for path in (CA, f"{CA}{ca.pk}/change/", CERT, f"{CERT}{cert.pk}/change/"):
        page = manager.get(path).content.decode()
        assert "-----BEGIN" not in page
    page = manager.get(f"{CERT}{cert.pk}/change/").content.decode()
    assert "ECDSA P-256" in page
    assert "sign in a handshake" in page
    assert "router-1" in manager.get(f"{CA}{ca.pk}/change/").content.decode()


def test_downloads_are_files_that_openssl_reads(manager, ca, cert, tmp_path):
    for url, marker in (
        (f"{CERT}{cert.pk}/pem/", "BEGIN CERTIFICATE"),
        (f"{CERT}{cert.pk}/chain/", "BEGIN CERTIFICATE"),
        (f"{CERT}{cert.pk}/key/", "BEGIN EC PRIVATE KEY"),
        (f"{CA}{ca.pk}/crl/", "BEGIN X509 CRL"),
    ):
        answer = manager.get(url)
        assert marker in answer.content.decode()
        assert answer["Content-Disposition"].startswith("attachment")
        assert "no-store" in answer["Cache-Control"]
    assert manager.get(f"{CERT}{cert.pk}/chain/").content.decode() == cert.bundle


def test_a_pkcs12_asks_for_its_passphrase(manager, cert, tmp_path):
    url = f"{CERT}{cert.pk}/pkcs12/"
    assert "passphrase" in manager.get(url).content.decode()
    assert "at least 4" in manager.post(url, {"passphrase": "x"}).content.decode()
    answer = manager.post(url, {"passphrase": "open sesame"})
    assert answer["Content-Disposition"] == 'attachment; filename="router-1.p12"'
    path = written(tmp_path, "x.p12", answer.content)
    shown = openssl("pkcs12", "-in", path, "-passin", "pass:open sesame", "-nodes")
    assert shown.count("BEGIN CERTIFICATE") == 2
    assert shown.count("BEGIN PRIVATE KEY") == 1


def test_keys_are_for_those_with_the_permission(operator, ca, cert):
    for path in ("key", "pkcs12"):
        assert operator.get(f"{CERT}{cert.pk}/{path}/").status_code == 403
        assert operator.get(f"{CA}{ca.pk}/{path}/").status_code == 403
    page = operator.get(f"{CERT}{cert.pk}/change/").content.decode()
    assert "PKCS#12" not in page
    assert operator.get(f"{CERT}{cert.pk}/pem/").status_code == 200
    for path in ("renew", "revoke"):
        assert operator.post(f"{CERT}{cert.pk}/{path}", {"reason": "unspecified"}).status_code in {
            403, 404, 301, 302,
        }  # fmt: skip
    cert.refresh_from_db()
    assert not cert.revoked


def test_rows_of_others_do_not_exist(ca, cert):
    stranger = signed_in(factories.user(factories.organization(), is_staff=True))
    for url in (f"{CERT}{cert.pk}/pem/", f"{CERT}{cert.pk}/key/", f"{CERT}{cert.pk}/pkcs12/",
                f"{CA}{ca.pk}/crl/", f"{CA}{ca.pk}/chain/"):  # fmt: skip
        assert stranger.get(url).status_code == 404, url
    assert "router-1" not in stranger.get(CERT).content.decode()
    assert stranger.get(f"{CERT}{cert.pk}/change/").status_code in {302, 404}


def action(client, base, row, name, **values):
    (url,) = [
        f"{base}{row.pk}/{suffix}"
        for suffix in (f"{name}/", name)
        if client.get(f"{base}{row.pk}/{suffix}").status_code == 200
    ][:1]
    return client.post(url, values)


def test_renewing_and_revoking_are_asked_for_and_done(manager, cert):
    before = cert.serial_number
    assert action(manager, CERT, cert, "renew", keep_key="on").status_code == 302
    cert.refresh_from_db()
    assert cert.serial_number != before
    assert "Choose" not in action(manager, CERT, cert, "revoke").content.decode()
    cert.refresh_from_db()
    assert not cert.revoked, "a reason is asked for"
    assert action(manager, CERT, cert, "revoke", reason="keyCompromise").status_code == 302
    cert.refresh_from_db()
    assert (cert.revoked, cert.revocation_reason) == (True, "keyCompromise")
    page = manager.get(f"{CERT}{cert.pk}/change/").content.decode()
    assert "The key was exposed" in page


def test_a_ca_is_renewed_and_an_intermediate_revoked(manager, ca, organization):
    assert action(manager, CA, ca, "renew").status_code == 302
    middle = factories.ca(organization, issuer=Ca.objects.get(pk=ca.pk))
    assert action(manager, CA, middle, "revoke", reason="cACompromise").status_code == 302
    middle.refresh_from_db()
    assert middle.revoked


def test_what_is_in_use_is_not_deleted_and_the_reason_is_told(manager, ca, cert):
    answer = manager.post(f"{CA}{ca.pk}/delete/", {"post": "yes"}, follow=True)
    assert "neither revoked nor expired" in answer.content.decode()
    assert Ca.objects.exists()
    manager.post(f"{CERT}{cert.pk}/delete/", {"post": "yes"})
    assert not Cert.objects.exists()


def test_name_notes_and_enrollment_change(manager, ca, organization):
    wanted = {"name": "Renamed", "organization": organization.pk, "notes": "n",
              "auto_renew": "on", "enrollment": "devices"}  # fmt: skip
    assert manager.post(f"{CA}{ca.pk}/change/", wanted).status_code == 302
    ca.refresh_from_db()
    assert (ca.name, ca.auto_renew, ca.enrollment) == ("Renamed", True, "devices")
    page = manager.get(f"{CA}{ca.pk}/change/").content.decode()
    assert f"/pki/acme/{ca.pk}/directory" in page


@pytest.mark.parametrize(
    ("days", "text", "query"),
    [(0.5, "Ends today", "1"), (5, "Ends in 4 d", "7"), (20, "Ends in 19 d", "30")],
)
def test_what_ends_soon_has_a_badge_and_is_on_the_dashboard(
    manager, ca, organization, days, text, query
):
    factories.device(organization)
    factories.cert(ca, name="ending", validity_end=timezone.now() + timedelta(days=days))
    factories.cert(ca, name="lasting")
    assert text in manager.get(CERT).content.decode()
    found = manager.get(f"{CERT}?ends={query}").content.decode()
    assert "ending" in found
    assert "lasting" not in found
    dashboard = manager.get("/admin/").content.decode()
    assert "Certificates that end soon" in dashboard
    assert text in dashboard


def test_revoked_ones_are_found(manager, ca, cert):
    rules.revoke(cert)
    assert "router-1" in manager.get(f"{CERT}?ends=revoked").content.decode()
    assert "router-1" not in manager.get(f"{CERT}?ends=ended").content.decode()


def test_a_shared_authority_is_not_a_managers_to_sign_authorities_with(manager, organization):
    shared = factories.ca(None)
    wanted = {"name": "x", "organization": organization.pk, "issuer": shared.pk}
    answer = manager.post(f"{CA}add/", EMPTY | wanted)
    assert "issuer" in answer.context["adminform"].form.errors
