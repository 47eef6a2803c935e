"""CAs and certificates as OpenWISP's clients know them."""

from pathlib import Path

import pytest
from cryptography import x509
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.models import Ca, Cert
from tests import factories
from tests.pki.broken import AUTHORITIES, END_ENTITIES, issued
from tests.pki.oracle import openssl, written

CA, CERT = "/api/v1/controller/ca/", "/api/v1/controller/cert/"
CA_FIELDS = [
    "id", "name", "organization", "notes", "key_length", "digest", "validity_start",
    "validity_end", "country_code", "state", "city", "organization_name",
    "organizational_unit_name", "email", "common_name", "extensions", "serial_number",
    "certificate", "private_key", "created", "modified",
]  # fmt: skip
CERT_FIELDS = [*CA_FIELDS[:3], "ca", "notes", "revoked", "revoked_at", *CA_FIELDS[4:]]

pytestmark = pytest.mark.django_db


@pytest.fixture
def manager(api, organization):
    return api(factories.user(organization))


@pytest.fixture
def ca(organization):
    return factories.ca(organization)


def new_ca(organization, **values):
    return {
        "name": "ca-1", "organization": str(organization.pk), "key_length": "2048",
        "digest": "sha256", "common_name": "ca-1", "country_code": "IT", "state": "",
        "city": "Rome", "organization_name": "Peer", "organizational_unit_name": "",
        "email": "", "extensions": [],
    } | values  # fmt: skip


def test_a_ca_is_created_with_the_fields_that_clients_know(manager, organization):
    answer = manager.post(CA, new_ca(organization))
    assert answer.status_code == 201
    shown = answer.json()
    assert list(shown) == CA_FIELDS
    assert isinstance(shown["id"], int)
    assert shown["certificate"].startswith("-----BEGIN CERTIFICATE-----\n")
    assert shown["private_key"].startswith("-----BEGIN RSA PRIVATE KEY-----\n")
    assert shown["serial_number"].isdigit()
    assert shown["validity_start"].endswith("T00:00:00Z")
    assert shown["extensions"] == []
    text = openssl("x509", "-noout", "-subject", given=shown["certificate"])
    assert text == "subject=C = IT, L = Rome, O = Peer, CN = ca-1\n"
    assert manager.get(f"{CA}{shown['id']}/").json() == shown
    assert manager.get(CA).json()["results"] == [shown]


@pytest.mark.parametrize("kind", ["256", "384", "521", "3072", "4096", "ed25519"])
def test_a_certificate_is_issued_with_every_kind_of_key(manager, organization, ca, kind):
    wanted = {
        "name": "c",
        "ca": ca.pk,
        "organization": str(organization.pk),
        "key_length": kind,
    }
    answer = manager.post(CERT, wanted)
    assert answer.status_code == 201, answer.content
    shown = answer.json()
    assert list(shown) == CERT_FIELDS
    assert shown["key_length"] == kind
    assert (shown["revoked"], shown["revoked_at"]) == (False, None)
    # A client that sends no subject still gets a distinct one.
    assert shown["common_name"] == "c"


def test_what_is_missing_is_told_as_ever(manager, organization):
    required = ["This field is required."]
    assert manager.post(CA, {}).json() == {"name": required, "organization": required}
    assert manager.post(CERT, {}).json() == {"name": required, "ca": required}
    bad = manager.post(CA, {"name": "imp", "certificate": "x", "private_key": "y"})
    assert (bad.status_code, bad.json()) == (400, {"organization": required})


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"digest": "sha1"}, "digest"),
        ({"digest": "md4"}, "digest"),
        ({"key_length": "1024"}, "key_length"),
        ({"key_length": "77"}, "key_length"),
        ({"country_code": "I1"}, "country_code"),
        ({"serial_number": "abc"}, "serial_number"),
        ({"serial_number": "9" * 48}, "serial_number"),
        ({"serial_number": "0"}, "serial_number"),
        ({"validity_start": "2030-01-01T00:00:00Z", "validity_end": "2029-01-01T00:00:00Z"},
         "validity_end"),
        ({"validity_end": "1900-01-01T00:00:00Z"}, "validity_end"),
        ({"extensions": "x"}, "extensions"),
        ({"extensions": {"name": "keyUsage"}}, "extensions"),
        ({"extensions": [{"name": "keyUsage", "value": "fly"}]}, "extensions"),
        ({"common_name": "x" * 65}, "common_name"),
        ({"email": "nobody"}, "email"),
        ({"issuer": 999}, "issuer"),
    ],
)  # fmt: skip
def test_a_bad_value_is_a_400_under_its_field(manager, organization, values, field):
    answer = manager.post(CA, new_ca(organization, **{"key_length": "256"} | values))
    assert answer.status_code == 400
    assert field in answer.json()


@pytest.mark.parametrize("name", AUTHORITIES)
def test_a_broken_import_of_a_ca_is_a_400_under_its_field(manager, organization, name):
    fields, field, _ = AUTHORITIES[name]()
    wanted = {"name": "x", "organization": str(organization.pk), **fields}
    answer = manager.post(CA, wanted)
    assert answer.status_code == 400
    assert field in answer.json()
    assert not Ca.objects.exists()


@pytest.mark.parametrize("name", END_ENTITIES)
def test_a_broken_import_of_a_certificate_is_a_400_under_its_field(manager, organization, name):
    fields, field, _ = END_ENTITIES[name]()
    ca = sound_ca(manager, organization)
    wanted = {"name": "x", "organization": str(organization.pk), "ca": ca["id"], **fields}
    answer = manager.post(CERT, wanted)
    assert answer.status_code == 400
    assert field in answer.json()


def sound_ca(manager, organization):
    made = issued()
    wanted = {
        "name": "imported", "organization": str(organization.pk),
        "certificate": made["ca"], "private_key": made["ca_key"],
    }  # fmt: skip
    answer = manager.post(CA, wanted)
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_an_import_says_what_the_certificate_says(manager, organization):
    ca = sound_ca(manager, organization)
    assert ca["common_name"] == "Sound CA"
    assert ca["key_length"] == "256"
    wanted = {
        "name": "leaf", "ca": ca["id"], "organization": str(organization.pk),
        "certificate": issued()["cert"], "private_key": issued()["cert_key"],
        "common_name": "overwritten", "passphrase": "",
    }  # fmt: skip
    leaf = manager.post(CERT, wanted)
    assert leaf.status_code == 201, leaf.content
    assert leaf.json()["common_name"] == "sound"
    assert leaf.json()["certificate"] == issued()["cert"]
    again = manager.post(CERT, wanted | {"name": "twice"})
    assert again.status_code == 400


def test_an_import_of_another_family_than_announced_is_refused(manager, organization):
    made = issued()
    wanted = {
        "name": "imported", "organization": str(organization.pk), "key_length": "2048",
        "certificate": made["ca"], "private_key": made["ca_key"],
    }  # fmt: skip
    assert "key_length" in manager.post(CA, wanted).json()


def test_half_an_import_says_what_is_missing(manager, organization):
    wanted = {"name": "x", "organization": str(organization.pk), "certificate": issued()["ca"]}
    assert list(manager.post(CA, wanted).json()) == ["private_key"]


def test_only_name_organization_and_notes_change(manager, ca):
    url = f"{CA}{ca.pk}/"
    before = manager.get(url).json()
    changed = manager.patch(url, {"notes": "n", "common_name": "other", "serial_number": "5"})
    assert changed.status_code == 200
    after = changed.json()
    assert after.pop("modified") > before.pop("modified")
    assert after == before | {"notes": "n"}
    put = manager.put(url, manager.get(url).json() | {"name": "renamed"})
    assert (put.status_code, put.json()["name"]) == (200, "renamed")


def test_renewing_gives_a_new_serial_certificate_and_key(manager, ca):
    cert = factories.cert(ca)
    before = manager.get(f"{CERT}{cert.pk}/").json()
    answer = manager.post(f"{CERT}{cert.pk}/renew/")
    assert answer.status_code == 200
    after = answer.json()
    for field in ("serial_number", "certificate", "private_key"):
        assert after[field] != before[field]
    assert after["id"] == before["id"]
    kept = manager.post(f"{CERT}{cert.pk}/renew/", {"keep_key": True}).json()
    assert kept["private_key"] == after["private_key"]
    assert manager.post(f"{CERT}{cert.pk}/renew/", {"keep_key": "what"}).status_code == 400


def test_revoking_says_when_and_a_second_time_changes_nothing(manager, ca):
    cert = factories.cert(ca)
    first = manager.post(f"{CERT}{cert.pk}/revoke/", {"reason": "keyCompromise"})
    assert first.status_code == 200
    assert first.json()["revoked"] is True
    second = manager.post(f"{CERT}{cert.pk}/revoke/")
    assert second.json()["revoked_at"] == first.json()["revoked_at"]
    assert manager.post(f"{CERT}{cert.pk}/revoke/", {"reason": "mood"}).status_code == 400


def test_a_revoked_certificate_is_not_renewed(manager, ca):
    cert = factories.cert(ca)
    manager.post(f"{CERT}{cert.pk}/revoke/")
    answer = manager.post(f"{CERT}{cert.pk}/renew/")
    assert answer.status_code == 409
    assert "issue a new certificate" in answer.json()["detail"]


def test_a_ca_in_use_is_not_deleted(manager, ca):
    cert = factories.cert(ca)
    answer = manager.delete(f"{CA}{ca.pk}/")
    assert answer.status_code == 409
    assert "1 certificates" in answer.json()["detail"]
    assert manager.delete(f"{CERT}{cert.pk}/").status_code == 204
    assert manager.delete(f"{CA}{ca.pk}/").status_code == 204
    assert not Ca.objects.exists()


@pytest.mark.parametrize("ending", ["crl", "crl/"])
def test_the_crl_is_downloaded_with_and_without_a_slash(manager, ca, ending, tmp_path):
    cert = factories.cert(ca)
    manager.post(f"{CERT}{cert.pk}/revoke/")
    answer = manager.get(f"{CA}{ca.pk}/{ending}")
    assert answer["Content-Type"] == "application/x-pem-file"
    assert f"{ca.pk}.crl" in answer["Content-Disposition"]
    text = openssl("crl", "-noout", "-text", given=answer.content)
    assert f"{int(cert.serial_number):X}" in text


def test_a_private_key_is_masked_without_the_permission_for_it(api, organization, ca):
    cert = factories.cert(ca)
    operator = api(factories.user(organization, "operator"))
    for url in (f"{CA}{ca.pk}/", f"{CERT}{cert.pk}/"):
        shown = operator.get(url).json()
        assert shown["private_key"] is None
        assert shown["certificate"]
    assert operator.get(CERT).json()["results"][0]["private_key"] is None
    assert operator.post(f"{CERT}{cert.pk}/revoke/").status_code == 403
    assert operator.post(CERT, {"name": "x", "ca": ca.pk}).status_code == 403


def test_the_keys_of_a_shared_ca_are_seen_by_superusers_alone(api, organization, admin):
    shared = factories.ca(None)
    mine = api(factories.user(organization)).get(f"{CA}{shared.pk}/").json()
    assert mine["private_key"] is None
    assert "PRIVATE KEY" in api(admin).get(f"{CA}{shared.pk}/").json()["private_key"]


def test_a_shared_ca_issues_for_every_organization_but_changes_for_none(api, organization):
    shared = factories.ca(None)
    manager = api(factories.user(organization))
    wanted = {"name": "c", "ca": shared.pk, "key_length": "256"}
    assert manager.post(CERT, wanted).status_code == 403, "a shared certificate is not theirs"
    assert (
        manager.post(CERT, wanted | {"organization": str(organization.pk)}).status_code == 201
    )
    assert manager.patch(f"{CA}{shared.pk}/", {"notes": "x"}).status_code == 403
    assert manager.post(f"{CA}{shared.pk}/renew/").status_code == 403


def test_rows_of_others_do_not_exist(api, ca):
    stranger = api(factories.user(factories.organization()))
    cert = factories.cert(ca)
    for method, url in [
        ("get", f"{CA}{ca.pk}/"), ("patch", f"{CA}{ca.pk}/"), ("delete", f"{CA}{ca.pk}/"),
        ("get", f"{CA}{ca.pk}/crl"), ("post", f"{CA}{ca.pk}/renew/"),
        ("get", f"{CERT}{cert.pk}/"), ("post", f"{CERT}{cert.pk}/renew/"),
        ("post", f"{CERT}{cert.pk}/revoke/"), ("delete", f"{CERT}{cert.pk}/"),
    ]:  # fmt: skip
        assert getattr(stranger, method)(url).status_code == 404, url
    assert stranger.get(CA).json()["count"] == 0
    assert stranger.post(CERT, {"name": "x", "ca": ca.pk}).json() == {
        "ca": [f'Invalid pk "{ca.pk}" - object does not exist.']
    }


def test_a_certificate_and_its_ca_belong_together(api, admin, ca):
    other = factories.organization()
    wanted = {"name": "x", "ca": ca.pk, "organization": str(other.pk), "key_length": "256"}
    answer = api(admin).post(CERT, wanted)
    assert answer.status_code == 400
    assert "match" in answer.json()["organization"][0]
    cert = factories.cert(ca)
    moved = api(admin).patch(f"{CERT}{cert.pk}/", {"organization": str(other.pk)})
    assert moved.status_code == 400


def test_a_common_name_is_live_once_in_an_organization(manager, organization, ca):
    cert = factories.cert(ca, common_name="router")
    wanted = {
        "name": "again", "ca": ca.pk, "organization": str(organization.pk),
        "key_length": "256", "common_name": "router",
    }  # fmt: skip
    assert list(manager.post(CERT, wanted).json()) == ["common_name"]
    manager.post(f"{CERT}{cert.pk}/revoke/")
    assert manager.post(CERT, wanted).status_code == 201


def test_lists_are_filtered(manager, organization, ca):
    cert = factories.cert(ca, name="alpha")
    factories.cert(ca, name="beta")
    manager.post(f"{CERT}{cert.pk}/revoke/")
    other = factories.ca(organization)
    for query, found in {
        "name=ALPH": ["alpha"],
        "common_name=beta": ["beta"],
        f"ca={ca.pk}": ["beta", "alpha"],
        f"ca={other.pk}": [],
        "revoked=true": ["alpha"],
        f"serial_number={cert.serial_number}": ["alpha"],
        f"organization={organization.pk}": ["beta", "alpha"],
        f"organization_slug={organization.slug}": ["beta", "alpha"],
        "validity_end__lt=2020-01-01T00:00:00Z": [],
        "validity_end__gte=2020-01-01T00:00:00Z": ["beta", "alpha"],
    }.items():
        rows = manager.get(f"{CERT}?{query}").json()["results"]
        assert [row["name"] for row in rows] == found, query
    assert manager.get(f"{CERT}?ca=nonsense").status_code == 400
    below = factories.ca(organization, issuer=ca)
    rows = manager.get(f"{CA}?issuer={ca.pk}").json()["results"]
    assert [row["id"] for row in rows] == [below.pk]


def test_an_intermediate_is_made_under_its_issuer(manager, organization, ca):
    wanted = new_ca(organization, key_length="256", issuer=ca.pk)
    answer = manager.post(CA, wanted)
    assert answer.status_code == 201, answer.content
    made = x509.load_pem_x509_certificate(answer.json()["certificate"].encode())
    assert made.issuer == ca.parsed.subject
    deeper = manager.post(CA, wanted | {"issuer": answer.json()["id"], "common_name": "x"})
    assert "path length" in deeper.json()["issuer"][0]


def test_numbers_out_of_range_are_not_found(manager):
    for url in (f"{CA}{10**30}/", f"{CERT}{2**63}/", f"{CA}0/", f"{CERT}x/"):
        assert manager.get(url).status_code == 404, url
    assert manager.get(f"/pki/crl/{10**17}").status_code == 404


def test_nobody_without_a_token_sees_anything(api, ca):
    for url in (CA, f"{CA}{ca.pk}/", f"{CA}{ca.pk}/crl", CERT):
        answer = api(None).get(url)
        assert answer.status_code == 401
        assert answer["WWW-Authenticate"] == "Bearer"


def test_keys_and_passphrases_are_encrypted_at_rest(ca):
    cert = factories.cert(ca, passphrase="open sesame")
    with connection.cursor() as cursor:
        cursor.execute("SELECT private_key, passphrase FROM pki_cert WHERE id = %s", [cert.pk])
        stored = cursor.fetchone()
    assert "PRIVATE" not in stored[0]
    assert "sesame" not in stored[1]
    found = Cert.objects.get(pk=cert.pk)
    assert "ENCRYPTED" in found.private_key
    assert found.key.public_key() == found.parsed_key


@pytest.mark.parametrize("path", ["ca/?page=9", "cert/?page=9"])
def test_a_page_past_the_end_is_a_404(manager, path):
    answer = manager.get(f"/api/v1/controller/{path}")
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_a_passphrase_opens_an_imported_key_and_is_never_shown(manager, organization, tmp_path):
    made = issued()
    key: Path = written(tmp_path, "ca.key", made["ca_key"])
    sealed = openssl("pkey", "-in", key, "-aes256", "-passout", "pass:secret")
    wanted = {
        "name": "sealed", "organization": str(organization.pk), "passphrase": "secret",
        "certificate": made["ca"], "private_key": sealed,
    }  # fmt: skip
    answer = manager.post(CA, wanted)
    assert answer.status_code == 201, answer.content
    assert "passphrase" not in answer.json()
    assert "secret" not in answer.content.decode()
    assert manager.post(f"{CA}{answer.json()['id']}/renew/").status_code == 200


def test_a_list_asks_the_database_as_often_for_many_as_for_one(manager, ca):
    manager.get(CERT)
    counts = []
    for _ in range(2):
        factories.cert(ca)
        factories.ca(ca.organization)
        with CaptureQueriesContext(connection) as queries:
            assert manager.get(CERT).status_code == manager.get(CA).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 10


def test_a_client_can_ask_what_it_may_send(manager, ca):
    asked = manager.options(CERT).json()["actions"]["POST"]
    assert [name for name in CERT_FIELDS if name not in asked] == []
    assert asked["ca"]["required"]
    assert asked["passphrase"]["max_length"] == 64
    assert {choice["value"] for choice in asked["key_length"]["choices"]} == {
        "256", "384", "521", "1024", "2048", "3072", "4096", "ed25519",
    }  # fmt: skip
    change = manager.options(f"{CA}{ca.pk}/").json()["actions"]["PUT"]
    assert change["certificate"]["read_only"]
    assert not change["notes"]["read_only"]


def test_every_address_is_a_page_for_people(admin, client, ca):
    cert = factories.cert(ca)
    client.force_login(admin)
    for url in (CA, f"{CA}{ca.pk}/", CERT, f"{CERT}{cert.pk}/"):
        page = client.get(url, headers={"accept": "text/html"})
        assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
