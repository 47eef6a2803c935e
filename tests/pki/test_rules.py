"""Effects of the rules on certificates, serial numbers and CRLs."""

import threading
from datetime import timedelta

import pytest
import time_machine
from cryptography import x509
from django.db import connection, models
from django.utils import timezone

from controller.base.errors import Conflict, Refused
from pki import rules, tasks
from pki.engine import keys
from pki.engine.requests import read_request
from pki.models import Ca, Cert, Issued, Reason, RevocationList
from tests import factories
from tests.pki.oracle import openssl, pem, written

pytestmark = pytest.mark.django_db


@pytest.fixture
def ca(organization):
    return factories.ca(organization)


def listed(ca: Ca) -> set[int]:
    crl = x509.load_der_x509_crl(RevocationList.objects.get(ca=ca).encoded)
    assert crl.is_signature_valid(Ca.objects.get(pk=ca.pk).parsed_key)
    return {entry.serial_number for entry in crl}


def test_validity_is_back_dated_to_yesterdays_midnight(ca):
    cert = factories.cert(ca)
    start = cert.parsed.not_valid_before_utc
    assert (start.hour, start.minute) == (0, 0)
    assert timedelta(days=1) <= timezone.now() - start <= timedelta(days=2)
    assert cert.parsed.not_valid_after_utc == cert.validity_end


def test_a_certificate_ends_with_its_ca_unless_told_otherwise(organization):
    soon = timezone.now() + timedelta(days=9)
    ca = factories.ca(organization, validity_end=soon)
    assert factories.cert(ca).validity_end <= soon
    later = soon + timedelta(days=1)
    assert factories.cert(ca, validity_end=later).validity_end == later.replace(microsecond=0)


def test_addresses_are_written_when_the_portal_knows_its_own(ca, settings):
    bare = openssl("x509", "-noout", "-text", given=factories.cert(ca).certificate)
    assert "URI:" not in bare
    settings.MUSTER_PUBLIC_URL = "https://muster.example.org"
    text = openssl("x509", "-noout", "-text", given=factories.cert(ca).certificate)
    assert f"URI:https://muster.example.org/pki/crl/{ca.pk}\n" in text
    assert "OCSP - URI:https://muster.example.org/pki/ocsp/\n" in text
    assert f"CA Issuers - URI:https://muster.example.org/pki/ca/{ca.pk}.crt\n" in text


def test_revoking_reaches_the_certificates_that_were_renewed(ca):
    cert = factories.cert(ca)
    first = int(cert.serial_number)
    cert = rules.renew(cert)
    second = int(cert.serial_number)
    assert listed(ca) == set(), "a renewed certificate stays good until it ends"
    rules.revoke(cert, reason=Reason.KEY_COMPROMISE)
    assert listed(ca) == {first, second}


def test_a_deleted_certificate_stays_on_the_list(ca):
    cert = factories.cert(ca)
    serial = int(cert.serial_number)
    rules.delete_cert(cert)
    assert not Cert.objects.exists()
    assert listed(ca) == {serial}


def test_many_revocations_make_one_list(ca):
    certs = [factories.cert(ca) for _ in range(3)]
    number = RevocationList.objects.get(ca=ca).number
    rules.revoke_all(certs)
    assert RevocationList.objects.get(ca=ca).number == number + 1
    assert listed(ca) == {int(cert.serial_number) for cert in certs}


def test_a_revocation_leaves_the_list_after_the_certificate_has_ended(ca):
    cert = factories.cert(ca, validity_end=timezone.now() + timedelta(days=3))
    rules.revoke(cert)
    assert listed(ca)
    with time_machine.travel(timezone.now() + timedelta(days=12)):
        rules.publish(ca)
        assert not listed(ca)


def test_a_list_is_signed_again_each_day_and_never_lapses(ca):
    first = RevocationList.objects.get(ca=ca)
    assert tasks.publish_lists() == 0
    with time_machine.travel(timezone.now() + timedelta(days=1, minutes=1)):
        assert tasks.publish_lists() == 1
        assert tasks.publish_lists() == 0
    with time_machine.travel(timezone.now() + timedelta(days=30)):
        served = rules.current_list(ca)
        assert served.next_update > timezone.now(), "also when nothing has run for a month"
    assert RevocationList.objects.get(ca=ca).number == first.number + 2


def test_renewing_a_ca_with_its_key_leaves_its_certificates_as_they_are(ca, tmp_path):
    cert = factories.cert(ca)
    renewed = rules.renew_ca(ca, keep_key=True)
    assert renewed.serial_number != ca.serial_number
    assert renewed.parsed_key == ca.parsed_key
    cert.refresh_from_db()
    anchors = written(tmp_path, "ca.pem", renewed.certificate)
    assert "OK" in openssl("verify", "-CAfile", anchors, given=cert.certificate)


def test_renewing_a_ca_with_a_new_key_signs_everything_live_again(ca, tmp_path):
    live, revoked = factories.cert(ca), factories.cert(ca)
    rules.revoke(revoked)
    middle = factories.ca(ca.organization, issuer=ca)
    leaf = factories.cert(middle)
    key, ends = live.private_key, live.validity_end
    renewed = rules.renew_ca(ca)
    assert renewed.parsed_key != ca.parsed_key
    for row in (live, revoked, middle, leaf):
        row.refresh_from_db()
    anchors = written(tmp_path, "ca.pem", renewed.certificate)
    assert "OK" in openssl("verify", "-x509_strict", "-CAfile", anchors, given=live.certificate)
    assert (live.private_key, live.validity_end) == (key, ends)
    between = written(tmp_path, "middle.pem", middle.certificate)
    verify = ("verify", "-CAfile", anchors, "-untrusted", between)
    assert "OK" in openssl(*verify, given=leaf.certificate)
    assert middle.chain == renewed.certificate
    openssl("verify", "-CAfile", anchors, given=revoked.certificate, fails=True)
    assert int(revoked.serial_number) in listed(ca)


def test_everything_live_is_signed_again_in_batches(ca, monkeypatch, tmp_path):
    monkeypatch.setattr("pki.rules.certificates.BATCH", 2)
    certs = [factories.cert(ca) for _ in range(5)]
    before = {int(cert.serial_number) for cert in certs}
    renewed = rules.renew_ca(ca)
    anchors = written(tmp_path, "ca.pem", renewed.certificate)
    for cert in certs:
        modified = cert.modified
        cert.refresh_from_db()
        assert int(cert.serial_number) not in before
        assert cert.modified > modified
        assert "OK" in openssl("verify", "-CAfile", anchors, given=cert.certificate)
        rules.revoke(cert)
    assert listed(ca) >= before, "the former serial numbers are known still"


def test_a_certificate_whose_key_the_device_keeps_is_renewed_with_that_key(ca):
    key = keys.generate("256")
    cert = factories.cert(ca, public_key=key.public_key())
    assert cert.private_key == ""
    assert rules.renew(cert).parsed_key == key.public_key()


def test_a_signing_request_of_openssl_becomes_a_certificate(ca, tmp_path):
    key = tmp_path / "device.key"
    openssl("genpkey", "-algorithm", "ED25519", "-out", key)
    csr = openssl("req", "-new", "-key", key, "-subj", "/CN=device", "-addext",
                  "subjectAltName=DNS:device.lan")  # fmt: skip
    request = read_request(csr.encode())
    assert request.dns_names == ["device", "device.lan"]
    cert = rules.issue_for_request(
        ca, request, name="device", common_name="device", organization=ca.organization
    )
    public = openssl("pkey", "-in", key, "-pubout")
    assert openssl("x509", "-noout", "-pubkey", given=cert.certificate) == public


def test_an_authority_elsewhere_vouches_for_one_here(organization, tmp_path):
    from tests.pki.oracle import authority, template

    root = authority("Offline root")
    wanted, key = template("Here", authority=True)
    made = rules.import_ca(
        name="here", organization=organization,
        certificate=pem(root.sign(wanted), *root.chain()), private_key=keys.to_pem(key),
    )  # fmt: skip
    leaf = factories.cert(made)
    anchors = written(tmp_path, "root.pem", pem(*root.chain()))
    bundle = written(tmp_path, "bundle.pem", leaf.bundle)
    assert "OK" in openssl("verify", "-CAfile", anchors, "-untrusted", bundle, bundle)
    with pytest.raises(Refused, match="renewed there"):
        rules.renew_ca(made)


def test_an_old_import_is_renewed_with_what_is_good_today(organization, tmp_path):
    key = tmp_path / "ca.key"
    openssl("genrsa", "-out", key, "1024")
    old = openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=old", "-sha1")
    ca = rules.import_ca(
        name="old", organization=organization, certificate=old, private_key=key.read_text()
    )
    assert (ca.digest, ca.key_length) == ("sha1", "1024")
    ca = rules.renew_ca(ca)
    assert (ca.digest, ca.key_length) == ("sha256", "2048")


def test_nothing_is_signed_by_an_authority_that_ended_or_is_revoked(organization):
    root = factories.ca(organization)
    middle = factories.ca(organization, issuer=root)
    rules.revoke(middle, reason=Reason.CA_COMPROMISE)
    with pytest.raises(Conflict, match="is revoked"):
        factories.cert(middle)
    with pytest.raises(Conflict, match="is revoked"):
        rules.renew_ca(middle)
    assert listed(root) == {int(middle.serial_number)}
    later = timezone.now() + timedelta(days=3651)
    with time_machine.travel(later), pytest.raises(Conflict, match="ended on"):
        factories.cert(root)


def test_an_authority_with_an_intermediate_is_not_deleted(organization):
    root = factories.ca(organization, name="Root")
    factories.ca(organization, issuer=root, name="Middle")
    with pytest.raises(Conflict, match="in use by Middle"):
        rules.delete_ca(root)


def test_a_deleted_intermediate_is_revoked_by_its_issuer(organization):
    root = factories.ca(organization)
    middle = factories.ca(organization, issuer=root)
    serial = int(middle.serial_number)
    rules.delete_ca(middle)
    assert listed(root) == {serial}
    rules.delete_ca(root)


def test_what_was_made_at_the_same_moment_is_a_conflict(ca, monkeypatch):
    first = factories.cert(ca)
    monkeypatch.setattr("pki.rules.certificates.check_common_name", lambda row: None)
    monkeypatch.setattr(Cert, "validate_constraints", lambda row, exclude=None: None)
    with pytest.raises(Conflict, match="same moment"):
        factories.cert(ca, common_name=first.common_name)
    assert Issued.objects.count() == 1


def test_an_authority_whose_certificates_are_all_revoked_is_deleted_with_them(ca):
    rules.revoke(factories.cert(ca))
    rules.delete_ca(ca)
    assert not Cert.objects.exists()
    assert not Issued.objects.exists()


def test_a_ca_moves_to_another_organization_only_without_certificates(ca):
    other = factories.organization()
    factories.cert(ca)
    with pytest.raises(Conflict, match="cannot move"):
        rules.update_ca(ca, organization=other)
    ca.refresh_from_db()
    assert rules.update_ca(ca, organization=None).organization is None


def test_what_is_marked_is_renewed_in_good_time(organization):
    ca = factories.ca(
        organization, validity_end=timezone.now() + timedelta(days=100), auto_renew=True
    )
    marked = factories.cert(
        ca, auto_renew=True, validity_end=timezone.now() + timedelta(days=60)
    )
    unmarked = factories.cert(ca, validity_end=timezone.now() + timedelta(days=60))
    revoked = factories.cert(
        ca, auto_renew=True, validity_end=timezone.now() + timedelta(days=60)
    )
    rules.revoke(revoked)
    assert tasks.renew_expiring() == 0
    with time_machine.travel(timezone.now() + timedelta(days=45)):
        assert tasks.renew_expiring() == 1
        assert tasks.renew_expiring() == 0
        marked.refresh_from_db()
        assert marked.days_left > 55
    with time_machine.travel(timezone.now() + timedelta(days=90)):
        key = ca.parsed_key
        assert tasks.renew_expiring() == 2
        ca.refresh_from_db()
        assert ca.days_left > 90
        assert ca.parsed_key == key
    before = unmarked.serial_number
    unmarked.refresh_from_db()
    assert unmarked.serial_number == before


def test_a_short_lived_certificate_is_renewed_in_its_last_third(ca):
    cert = factories.cert(
        ca, auto_renew=True, validity_start=timezone.now(),
        validity_end=timezone.now() + timedelta(days=9),
    )  # fmt: skip
    assert rules.renew_due() == []
    with time_machine.travel(timezone.now() + timedelta(days=6, hours=1)):
        assert rules.renew_due() == [cert]


def test_what_cannot_be_renewed_is_left_and_does_not_stop_the_rest(organization, caplog):
    middle_root = factories.ca(organization, validity_end=timezone.now() + timedelta(days=10))
    stuck = factories.cert(
        middle_root, auto_renew=True, validity_end=timezone.now() + timedelta(days=25)
    )
    fine = factories.cert(
        factories.ca(organization),
        auto_renew=True,
        validity_end=timezone.now() + timedelta(days=25),
    )
    with time_machine.travel(timezone.now() + timedelta(days=20)):
        assert rules.renew_due() == [fine]
    assert f"{stuck.pk} was not renewed" in caplog.text


def test_what_ends_soon_is_told_once_to_those_who_may_know(organization):
    ca = factories.ca(organization)
    now = timezone.now()
    for days in (0.5, 5, 20, 200):
        factories.cert(ca, name=f"{days}", validity_end=now + timedelta(days=days))
    gone = factories.cert(ca, validity_end=now + timedelta(days=5))
    rules.revoke(gone)
    told = rules.notices(factories.user(organization))
    assert [(n.days, [row.name for row in n.rows]) for n in told] == [
        (1, ["0.5"]),
        (7, ["5"]),
        (30, ["20"]),
    ]
    assert not any(n.rows for n in rules.notices(factories.user(factories.organization())))


def test_nothing_readable_shows_a_key(ca):
    cert = factories.cert(ca)
    for row in (ca, cert, RevocationList.objects.get(ca=ca)):
        assert "PRIVATE" not in repr(row) + str(row)
    assert not any("PRIVATE" in line.text for line in cert.summary)


def test_the_database_itself_refuses_a_serial_number_twice(ca):
    cert = factories.cert(ca)
    with pytest.raises(models.ProtectedError):
        ca.delete()
    with pytest.raises(Exception, match=r"(?i)unique"):
        Issued.objects.create(
            ca=ca, serial_number=cert.serial_number, validity_end=cert.validity_end
        )


@pytest.mark.django_db(transaction=True)
def test_certificates_issued_at_the_same_time_all_exist(organization):
    ca = factories.ca(organization)
    failures = []

    def work():
        try:
            for _ in range(5):
                factories.cert(ca)
        except Exception as error:  # noqa: BLE001 - shown by the assertion below
            failures.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert failures == []
    assert Cert.objects.count() == Issued.objects.count() == 20
