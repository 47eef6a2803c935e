"""What a client would refuse: looked at before a certificate, list or answer leaves an authority.

RFC 5280 (6.1 and 6.3) and RFC 6960 (3.2), as far as one portal can know: the chain and what
its certificates allow, names, signatures, keys and dates. Raises Rejected.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import ocsp

from pki.engine import keys
from pki.engine.certificates import LONGEST_SERIAL_BITS, is_authority
from pki.engine.contract import Period
from pki.engine.errors import Rejected
from pki.engine.extensions import extension_of
from pki.engine.importing import issued_by
from pki.engine.ocsp import Question

# A certificate, list or answer.
Left = TypeVar("Left")


def check_certificate(
    certificate: x509.Certificate, chain: Sequence[x509.Certificate]
) -> x509.Certificate:
    """Return the certificate, unless clients refuse it behind this chain of issuers.

    ``chain`` begins with the issuer; a root is its own.
    """
    issuer = chain[0] if chain else certificate
    problems = [
        *_own_problems(certificate),
        *([text] if (text := issued_by(certificate, issuer)) else []),
        *(_issuer_problems(issuer) if chain else []),
        *_path_problems(certificate, chain),
        *(one for above in chain for one in _name_problems(certificate, above)),
    ]
    return _passed(certificate, problems, "certificate")


def check_list(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime
) -> x509.CertificateRevocationList:
    """Return the list, unless clients refuse it."""
    key: keys.PublicKey = issuer.public_key()  # type: ignore[assignment]
    problems = []
    if not may_sign_lists(issuer):
        problems.append("the key usage of its authority has no cRLSign")
    if crl.issuer != issuer.subject or not crl.is_signature_valid(key):
        problems.append("its signature is not its authority's")
    if crl.next_update_utc is None or not crl.last_update_utc <= now < crl.next_update_utc:
        problems.append("it is not valid now")
    return _passed(crl, problems, "revocation list")


def check_answer(
    der: bytes, issuer: x509.Certificate, question: Question, period: Period
) -> bytes:
    """Return an OCSP response after a check that clients accept it."""
    answer = ocsp.load_der_ocsp_response(der)
    problems = []
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        problems.append("it has no answer")
    elif not _is_about(answer, question):
        problems.append("it is about another certificate")
    elif answer.next_update_utc is None or answer.next_update_utc <= period.this_update:
        problems.append("it is not valid now")
    if not _is_signed(answer, issuer):
        problems.append("its signature is not its authority's")
    return _passed(der, problems, "OCSP response")


def may_sign_lists(certificate: x509.Certificate) -> bool:
    usage = extension_of(certificate, x509.KeyUsage)
    return usage is None or usage.crl_sign


def _passed(found: Left, problems: Sequence[str], what: str) -> Left:
    if problems:
        told = "; ".join(dict.fromkeys(problems))
        raise Rejected({"issuer": f"Clients would refuse this {what}: {told}."})
    return found


def _own_problems(certificate: x509.Certificate) -> Iterator[str]:
    try:
        keys.kind_of(certificate.public_key())
    except ValueError as error:
        yield f"it has {error}"
    if not 0 < certificate.serial_number < 1 << LONGEST_SERIAL_BITS:
        yield "its serial number is not a positive one of 20 octets"
    if certificate.not_valid_after_utc <= certificate.not_valid_before_utc:
        yield "its validity ends before it starts"


def _issuer_problems(issuer: x509.Certificate) -> Iterator[str]:
    if issuer.version is x509.Version.v3 and not is_authority(issuer):
        yield "its issuer is not an authority"
    usage = extension_of(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield "the key usage of its issuer has no keyCertSign"


def _path_problems(
    certificate: x509.Certificate, chain: Sequence[x509.Certificate]
) -> Iterator[str]:
    """Look at the path lengths: how many authorities may be between one and the end."""
    between = 1 if chain and is_authority(certificate) else 0
    for above in chain:
        constraints = extension_of(above, x509.BasicConstraints)
        limit = constraints.path_length if constraints else None
        if limit is not None and between > limit:
            yield "the chain is longer than one of its authorities allows"
        between += above.issuer != above.subject


def _name_problems(certificate: x509.Certificate, above: x509.Certificate) -> Iterator[str]:
    limits = extension_of(above, x509.NameConstraints)
    if limits is None:
        return
    names = _names(certificate)
    if list(certificate.subject):
        names.append(x509.DirectoryName(certificate.subject))
    for name in names:
        allowed = [one for one in limits.permitted_subtrees or [] if type(one) is type(name)]
        if allowed and not any(_is_within(name, one) for one in allowed):
            yield f"its authorities do not permit the name {_shown(name)}"
        if any(_is_within(name, one) for one in limits.excluded_subtrees or []):
            yield f"its authorities exclude the name {_shown(name)}"


def _names(certificate: x509.Certificate) -> list[x509.GeneralName]:
    found = extension_of(certificate, x509.SubjectAlternativeName)
    return list(found) if found is not None else []


def _is_within(name: x509.GeneralName, limit: x509.GeneralName) -> bool:
    match name, limit:
        case x509.DNSName(), x509.DNSName():
            return _is_below(name.value.removeprefix("*."), limit.value)
        case x509.IPAddress(), x509.IPAddress():
            value = name.value
            return isinstance(value, IPv4Address | IPv6Address) and value in limit.value  # type: ignore[operator]
        case x509.RFC822Name(), x509.RFC822Name():
            if "@" in limit.value:
                return name.value.lower() == limit.value.lower()
            host = name.value.rpartition("@")[2].lower()
            own = limit.value.lower()
            return host.endswith(own) if own.startswith(".") else host == own
        case x509.DirectoryName(), x509.DirectoryName():
            above = limit.value.rdns
            return name.value.rdns[: len(above)] == above
    return False


def _is_below(name: str, limit: str) -> bool:
    own, above = name.lower(), limit.lower().lstrip(".")
    return not above or own == above or own.endswith(f".{above}")


def _shown(name: x509.GeneralName) -> str:
    value = name.value
    return value.rfc4514_string()[:100] if isinstance(value, x509.Name) else str(value)[:100]


def _is_about(answer: ocsp.OCSPResponse, question: Question) -> bool:
    return (answer.serial_number, answer.issuer_key_hash, answer.issuer_name_hash) == (
        question.serial_number,
        question.issuer_key_hash,
        question.issuer_name_hash,
    )


def _is_signed(answer: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    key, digest = issuer.public_key(), answer.signature_hash_algorithm
    signature, signed = answer.signature, answer.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(signature, signed, padding.PKCS1v15(), digest)  # type: ignore[arg-type]
            case ec.EllipticCurvePublicKey():
                key.verify(signature, signed, ec.ECDSA(digest))  # type: ignore[arg-type]
            case ed25519.Ed25519PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except InvalidSignature:
        return False
    return True
