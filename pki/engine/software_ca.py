"""Certificate authority with its key in memory."""

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509 import ocsp

from pki.engine import keys
from pki.engine.acceptance import check_answer, check_certificate, check_list
from pki.engine.certificates import complete
from pki.engine.contract import Period, Revocation, Status, Template
from pki.engine.extensions import issuer_identifier
from pki.engine.ocsp import Question

REASONS = {reason.value: reason for reason in x509.ReasonFlags}


class SoftwareAuthority:
    def __init__(
        self,
        certificate: x509.Certificate,
        key: keys.PrivateKey,
        issuers: Sequence[x509.Certificate] = (),
        digest: str = "sha256",
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._issuers = issuers
        # CAs imported with an obsolete digest sign with a current one.
        self._digest = digest if digest in keys.DIGESTS else "sha256"

    @classmethod
    def create(cls, template: Template, key: keys.PrivateKey) -> "SoftwareAuthority":
        """Create a root, which signs its own certificate."""
        builder = complete(template, issuer=None)
        certificate = builder.sign(key, keys.digest_for(key, template.digest))
        check_certificate(certificate, [])
        return cls(certificate, key, digest=template.digest)

    def chain(self) -> Sequence[x509.Certificate]:
        return [self._certificate, *self._issuers]

    def sign(self, template: Template) -> x509.Certificate:
        builder = complete(template, issuer=self._certificate)
        signed = builder.sign(self._key, keys.digest_for(self._key, template.digest))
        return check_certificate(signed, self.chain())

    def revocation_list(
        self, revocations: Sequence[Revocation], *, number: int, period: Period
    ) -> x509.CertificateRevocationList:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(period.this_update)
            .next_update(period.next_update)
            .add_extension(x509.CRLNumber(number), critical=False)
            .add_extension(issuer_identifier(self._certificate), critical=False)
        )
        for revocation in revocations:
            builder = builder.add_revoked_certificate(_entry(revocation))
        signed = builder.sign(self._key, keys.digest_for(self._key, self._digest))
        return check_list(signed, self._certificate, period.this_update)

    def status(self, question: Question, status: Status, *, period: Period) -> bytes:
        revocation = status.revocation
        known = ocsp.OCSPCertStatus.REVOKED if revocation else ocsp.OCSPCertStatus.GOOD
        builder = ocsp.OCSPResponseBuilder().add_response_by_hash(
            question.issuer_name_hash,
            question.issuer_key_hash,
            question.serial_number,
            question.algorithm,
            known if status.known else ocsp.OCSPCertStatus.UNKNOWN,
            period.this_update,
            period.next_update,
            revocation.at if revocation else None,
            _reason(revocation),
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self._certificate)
        if question.nonce:
            builder = builder.add_extension(x509.OCSPNonce(question.nonce), critical=False)
        response = builder.sign(self._key, keys.digest_for(self._key, self._digest))
        der = response.public_bytes(serialization.Encoding.DER)
        return check_answer(der, self._certificate, question, period)


def _entry(revocation: Revocation) -> x509.RevokedCertificate:
    builder = (
        x509.RevokedCertificateBuilder()
        .serial_number(revocation.serial_number)
        .revocation_date(revocation.at)
    )
    reason = _reason(revocation)
    if reason is not None:
        builder = builder.add_extension(x509.CRLReason(reason), critical=False)
    return builder.build()


def _reason(revocation: Revocation | None) -> x509.ReasonFlags | None:
    """Return the reason, omitted if unspecified (RFC 5280, 5.3.1)."""
    if revocation is None or revocation.reason == "unspecified":
        return None
    return REASONS[revocation.reason]
