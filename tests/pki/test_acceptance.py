"""What clients would refuse never leaves an authority; openssl says the same."""

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from controller.base.errors import Conflict
from pki.engine import keys, ocsp
from pki.engine.acceptance import check_answer, check_certificate, check_list
from pki.engine.contract import Period, Status
from pki.engine.errors import Rejected
from pki.engine.extension_values import key_usage
from pki.engine.software_ca import SoftwareAuthority
from pki.models import RevocationList
from pki.rules import authorities, revocation
from tests import factories
from tests.pki.oracle import NOW, authority, openssl, pem, template, written

PERIOD = Period(NOW - timedelta(minutes=5), NOW + timedelta(days=7))


def foreign(
    *extensions: x509.ExtensionType, path_length: int | None = None, is_authority: bool = True
) -> SoftwareAuthority:
    """Return an authority as others make them, with just these extensions."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "foreign")])
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=900))
        .add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True
        )
    )
    for one in extensions:
        builder = builder.add_extension(one, critical=True)
    return SoftwareAuthority(builder.sign(key, hashes.SHA256()), key)


def leaf(*names: str, name: str = "device-1") -> Any:
    extensions = [{"name": "subjectAltName", "value": ",".join(names)}] if names else []
    return template(name, extensions=extensions)[0]


def verdict(folder: Path, signer: SoftwareAuthority, wanted: Any) -> str:
    """Return what openssl says of the certificate that the authority would have made."""
    certificate = x509.CertificateBuilder(
        signer.chain()[0].subject, wanted.subject, wanted.public_key, wanted.serial_number,
        wanted.not_before, wanted.not_after,
    )  # fmt: skip
    for one in wanted.extensions:
        certificate = certificate.add_extension(one.value, one.critical)
    signed = certificate.sign(signer._key, hashes.SHA256())
    root = written(folder, "root.pem", pem(*signer.chain()))
    return openssl(
        "verify", "-CAfile", root, written(folder, "leaf.pem", pem(signed)), fails=True
    )


DNS = x509.NameConstraints([x509.DNSName("example.org")], [x509.DNSName("hr.example.org")])
NET = x509.NameConstraints([x509.IPAddress(ip_network("10.0.0.0/8"))], None)
MAIL = x509.NameConstraints(None, [x509.RFC822Name("example.com")])
REFUSED = {
    "a name outside of what is permitted": (lambda: foreign(DNS), leaf("DNS:example.net"), "permit"),
    "an excluded name": (lambda: foreign(DNS), leaf("DNS:a.hr.example.org"), "exclude"),
    "an address outside": (lambda: foreign(NET), leaf("IP:192.0.2.1"), "permit"),
    "an excluded mail": (lambda: foreign(MAIL), leaf("email:a@example.com"), "exclude"),
    "an issuer that signs lists alone": (
        lambda: foreign(key_usage(["cRLSign"])), leaf(), "keyCertSign",
    ),
    "an issuer that is no authority": (
        lambda: foreign(is_authority=False), leaf(), "not an authority",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_openssl_refuses_is_not_signed(case: str, tmp_path: Path) -> None:
    make, wanted, words = REFUSED[case]
    signer = make()
    with pytest.raises(Rejected, match=words):
        signer.sign(wanted)
    assert "error" in verdict(tmp_path, signer, wanted)


@pytest.mark.parametrize(
    ("limits", "names"),
    [
        (DNS, ["DNS:example.org", "DNS:*.a.example.org", "IP:192.0.2.1"]),
        (NET, ["IP:10.1.2.3", "DNS:anything.example"]),
        (MAIL, ["email:a@example.org"]),
    ],
)
def test_what_it_permits_is_signed(limits: Any, names: list[str], tmp_path: Path) -> None:
    signer = foreign(limits)
    signed = signer.sign(leaf(*names))
    root = written(tmp_path, "root.pem", pem(*signer.chain()))
    openssl("verify", "-CAfile", root, written(tmp_path, "leaf.pem", pem(signed)))


def test_an_authority_below_one_that_allows_none_is_refused() -> None:
    root = foreign(path_length=0)
    with pytest.raises(Rejected):
        root.sign(template("below", authority=True)[0])
    # Also where the limit is two levels above.
    top = authority(extensions=[{"name": "basicConstraints", "value": "CA:TRUE,pathlen:1"}])
    middle = authority("middle", under=top)
    with pytest.raises(Rejected):
        middle.sign(template("below", authority=True)[0])


def test_a_certificate_list_or_answer_of_another_key_is_refused() -> None:
    mine, other = authority(), authority()
    (issuer,) = mine.chain()
    with pytest.raises(Rejected, match="another key"):
        check_certificate(other.sign(leaf()), mine.chain())
    crl = other.revocation_list([], number=1, period=PERIOD)
    with pytest.raises(Rejected, match="signature"):
        check_list(crl, issuer, NOW)
    with pytest.raises(Rejected, match="not valid now"):
        check_list(
            mine.revocation_list([], number=1, period=PERIOD), issuer, NOW + timedelta(days=8)
        )
    question = ocsp.Question(7, *ocsp.issuer_hashes(issuer, hashes.SHA1()), hashes.SHA1())  # noqa: S303
    answer = other.status(question, Status(known=True), period=PERIOD)
    with pytest.raises(Rejected, match="signature"):
        check_answer(answer, issuer, question, PERIOD)
    about = ocsp.Question(8, *ocsp.issuer_hashes(issuer, hashes.SHA1()), hashes.SHA1())  # noqa: S303
    with pytest.raises(Rejected, match="another certificate"):
        check_answer(
            mine.status(question, Status(known=True), period=PERIOD), issuer, about, PERIOD
        )


@pytest.mark.django_db
def test_an_authority_that_may_sign_no_lists_revokes_by_ocsp(settings: Any, api: Any) -> None:
    settings.MUSTER_PUBLIC_URL = "https://muster.example.org"
    signer = foreign(key_usage(["keyCertSign", "digitalSignature"]))
    ca = authorities.import_ca(
        organization=factories.organization(), name="foreign",
        certificate=pem(*signer.chain()), private_key=keys.to_pem(signer._key),
    )  # fmt: skip
    cert = factories.cert(ca)
    assert not RevocationList.objects.exists()
    with pytest.raises(x509.ExtensionNotFound):
        cert.parsed.extensions.get_extension_for_class(x509.CRLDistributionPoints)
    revocation.revoke(cert)
    assert cert.revoked
    with pytest.raises(Conflict, match="cRLSign"):
        revocation.current_list(ca)
    assert api(None).get(f"/pki/crl/{ca.pk}").status_code == 409
