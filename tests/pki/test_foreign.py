"""Certificates as other tools write them: taken rightly and given back whole, or refused in words."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from django.utils import timezone

from controller.base.errors import Refused
from pki.engine import importing
from pki.models import Ca
from pki.rules import authorities, certificates

INPUTS = Path(__file__).parents[1] / "inputs/pki"
pytestmark = pytest.mark.django_db


def text(name: str) -> str:
    return (INPUTS / name).read_text(encoding="utf-8")


def imported(name: str) -> Ca:
    return authorities.import_ca(
        name=name, certificate=text(f"{name}.pem"), private_key=text(f"{name}.key")
    )


def subject(pem: str) -> bytes:
    return x509.load_pem_x509_certificate(pem.encode()).subject.public_bytes()


@pytest.mark.parametrize("name", ["easyrsa", "adcs", "emptysubj", "multirdn"])
@pytest.mark.parametrize("keep_key", [True, False])
def test_a_renewed_authority_has_the_subject_that_it_had(name: str, keep_key: bool) -> None:
    ca = imported(name)
    before = subject(ca.certificate)
    assert before == subject(text(f"{name}.pem"))
    renewed = authorities.renew_ca(ca, keep_key=keep_key)
    assert renewed.serial_number != ca.serial_number
    assert subject(renewed.certificate) == before


@pytest.mark.parametrize(
    ("name", "client"), [("easyrsa", "easyrsa_client"), ("adcs", "adcs_client")]
)
def test_clients_in_the_field_trust_the_renewed_authority(name: str, client: str) -> None:
    renewed = authorities.renew_ca(imported(name), keep_key=True)
    leaf = x509.load_pem_x509_certificate(text(f"{client}.pem").encode())
    assert importing.issued_by(leaf, renewed.parsed) == ""


def test_a_client_of_the_old_certificate_is_imported_after_the_renewal_and_keeps_its_subject() -> (
    None
):
    ca = authorities.renew_ca(imported("easyrsa"), keep_key=True)
    cert = certificates.import_cert(
        ca=ca, name="client1", certificate=text("easyrsa_client.pem"),
        private_key=text("easyrsa_client.key"),
    )  # fmt: skip
    before = subject(cert.certificate)
    assert subject(certificates.renew(cert, keep_key=True).certificate) == before
    assert subject(certificates.renew(cert).certificate) == before
    authorities.renew_ca(ca)
    cert.refresh_from_db()
    assert subject(cert.certificate) == before


@pytest.mark.parametrize("name", ["bom", "bagattributes", "utf8_commented"])
def test_remarks_around_a_certificate_are_no_part_of_it(name: str) -> None:
    (found,) = importing.read_certificates(text(f"{name}.pem"))
    assert found.not_valid_after_utc > timezone.now() - timedelta(days=1)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("rsapss_key", "RSASSA-PSS"), ("serial0", "serial number is 0"), ("teletex", "T61String")],
)
def test_what_nobody_would_accept_is_refused_in_words(name: str, reason: str) -> None:
    with pytest.raises(Refused) as refusal:
        imported(name)
    (problem,) = refusal.value.by_field["certificate"]
    assert reason in problem
    assert "damaged" not in problem
    assert len(problem) < 400


def test_a_certificate_with_a_thousand_names_is_taken_and_renewed(api: Any, admin: Any) -> None:
    (found,) = importing.read_certificates(text("san1000.pem"))
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert len(list(names)) == 1000
    problem = {"name": "subjectAltName", "value": "DNS:x.example.org," * 20_000}
    answer = api(admin).post(
        "/api/v1/controller/ca/",
        {"name": "many", "common_name": "many", "extensions": [problem]},
        format="json",
    )
    assert answer.status_code == 400
    assert len(answer.content) < 2000
