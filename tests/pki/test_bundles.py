"""A PKCS#12 of the portal goes back in: the same certificate, key and chain."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12

from controller.accounts.models import Organization
from pki.engine import keys
from pki.engine.bundles import pkcs12_bundle
from pki.engine.importing import read_certificates
from pki.models import Issued
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("length", ["256", "2048", "ed25519"])
@pytest.mark.parametrize("passphrase", ["four", "Straße 1 €", "with blanks and 'quotes'"])
def test_a_pkcs12_goes_out_and_comes_in(
    length: str, passphrase: str, organization: Organization, api: Any
) -> None:
    ca = factories.ca(organization, key_length=length)
    row = factories.cert(ca, key_length=length)
    own, *issuers = read_certificates(row.bundle)
    data = pkcs12_bundle("Büro 1", keys.load(row.private_key), own, issuers, passphrase)
    found = pkcs12.load_pkcs12(data, passphrase.encode())
    assert found.cert is not None
    assert found.key is not None
    assert found.cert.friendly_name == "Büro 1".encode()
    assert [one.certificate for one in found.additional_certs] == issuers
    sent = {
        "name": "again", "organization": str(organization.pk), "ca": ca.pk,
        "certificate": found.cert.certificate.public_bytes(Encoding.PEM).decode(),
        "private_key": keys.to_pem(found.key),
    }  # fmt: skip
    before = (row.certificate, row.private_key)
    Issued.objects.filter(serial_number=row.serial_number).delete()
    row.delete()
    made = api(factories.superuser()).post("/api/v1/controller/cert/", sent, format="json")
    assert made.status_code == 201, made.data
    assert (made.data["certificate"], made.data["private_key"]) == before
