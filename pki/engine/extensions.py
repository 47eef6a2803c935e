"""X.509 extensions: conversion between OpenWISP's JSON and signed values.

A known extension is `{"name": "keyUsage", "value": "digitalSignature", "critical": true}`,
with the value in the syntax of OpenSSL's configuration; any other extension is `{"oid":
"1.3.6.1.4.1.9", "value": "ASN1:UTF8:string:text"}` or, for imports, `{"oid": …, "value":
"DER:<hex>"}`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

import jsonschema_rs
from cryptography import x509
from cryptography.hazmat.asn1 import IA5String, decode_der
from cryptography.x509.oid import ExtensionOID

from pki.engine import asn1, extension_values
from pki.engine.errors import UNREADABLE, Rejected
from pki.engine.keys import PublicKey

Json: TypeAlias = Mapping[str, Any]
ExtensionValue = TypeVar("ExtensionValue", bound=x509.ExtensionType)

NS_CERT_TYPE = x509.ObjectIdentifier("2.16.840.1.113730.1.1")
NS_COMMENT = x509.ObjectIdentifier("2.16.840.1.113730.1.13")


@dataclass(frozen=True)
class Extension:
    value: x509.ExtensionType
    critical: bool = False

    @property
    def oid(self) -> x509.ObjectIdentifier:
        return self.value.oid


@dataclass(frozen=True)
class Known:
    oid: x509.ObjectIdentifier
    read: Callable[[object], x509.ExtensionType]
    write: Callable[[Any], str]


def _listed(
    read: Callable[[list[str]], x509.ExtensionType],
) -> Callable[[object], x509.ExtensionType]:
    return lambda value: read(extension_values.words(value))


def _ns_cert_type(words: list[str]) -> x509.ExtensionType:
    return x509.UnrecognizedExtension(NS_CERT_TYPE, extension_values.ns_cert_type(words))


def _ns_comment(value: object) -> x509.ExtensionType:
    if not isinstance(value, str):
        raise ValueError("the value is a text.")  # noqa: TRY004
    return x509.UnrecognizedExtension(NS_COMMENT, asn1.encode("IA5", value))


def _oids(oids: Iterable[x509.ObjectIdentifier]) -> str:
    return extension_values.write_oids(list(oids))


KNOWN: dict[str, Known] = {
    "basicConstraints": Known(
        ExtensionOID.BASIC_CONSTRAINTS,
        _listed(extension_values.basic_constraints),
        extension_values.write_basic_constraints,
    ),
    "keyUsage": Known(
        ExtensionOID.KEY_USAGE,
        _listed(extension_values.key_usage),
        extension_values.write_key_usage,
    ),
    "extendedKeyUsage": Known(
        ExtensionOID.EXTENDED_KEY_USAGE,
        _listed(lambda words: x509.ExtendedKeyUsage(extension_values.oids(words))),
        _oids,
    ),
    "subjectAltName": Known(
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        _listed(
            lambda words: x509.SubjectAlternativeName(extension_values.general_names(words))
        ),
        extension_values.write_general_names,
    ),
    "nsCertType": Known(
        NS_CERT_TYPE,
        _listed(_ns_cert_type),
        lambda found: extension_values.write_ns_cert_type(found.value),
    ),
    "nsComment": Known(
        NS_COMMENT, _ns_comment, lambda found: decode_der(IA5String, found.value).as_str()
    ),
    "certificatePolicies": Known(
        ExtensionOID.CERTIFICATE_POLICIES,
        _listed(
            lambda words: x509.CertificatePolicies(
                [x509.PolicyInformation(oid, None) for oid in extension_values.oids(words)]
            )
        ),
        lambda found: _oids(policy.policy_identifier for policy in found),
    ),
}
_NAMES = {known.oid: name for name, known in KNOWN.items()}
# Set by the signer from its own key and URLs, so users cannot set them.
SIGNERS_OWN = frozenset(
    {
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_DISTRIBUTION_POINTS,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)

# A certificate of shared hosting names a thousand hosts.
LONGEST_VALUE = 128 * 1024
LONGEST_MESSAGE = 300
_CRITICAL = {"type": "boolean", "default": False}
SCHEMA: dict[str, Any] = {
    "type": "array",
    "title": "Extensions",
    "maxItems": 64,
    "items": {
        "type": "object",
        "oneOf": [
            {
                "title": "known",
                "required": ["name", "value"],
                "additionalProperties": False,
                "properties": {
                    "name": {"type": "string", "enum": list(KNOWN)},
                    "value": {
                        "oneOf": [
                            {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE},
                            {
                                "type": "array",
                                "minItems": 1,
                                "items": {"type": "string", "minLength": 1, "maxLength": 1024},
                            },
                        ]
                    },
                    "critical": _CRITICAL,
                },
            },
            {
                "title": "by object identifier",
                "required": ["oid", "value"],
                "additionalProperties": False,
                "properties": {
                    "oid": {"type": "string", "minLength": 3, "maxLength": 128},
                    "value": {"type": "string", "pattern": "^(ASN1|DER):"},
                    "critical": _CRITICAL,
                },
            },
        ],
    },
}
_SCHEMA = jsonschema_rs.validator_for(SCHEMA)


def parse(items: object) -> list[Extension]:
    """Parse extensions. Raises Rejected under `extensions`, naming the invalid one."""
    if not isinstance(items, list):
        raise _rejected("Give a list of extensions: [{name, value, critical}, …].")
    found: list[Extension] = []
    problems: list[str] = []
    for item in items:
        try:
            found.append(_parse_one(item))
        except UNREADABLE as error:
            problems.append(f"{_title(item)}: {error}")
    if not problems and not _SCHEMA.is_valid(items):
        problems = [_shortened(error.message) for error in _SCHEMA.iter_errors(items)]
    repeated = {_dotted(e) for e in found if [f.oid for f in found].count(e.oid) > 1}
    problems += [f"{oid}: given more than once." for oid in sorted(repeated)]
    if problems:
        raise Rejected({"extensions": problems})
    return found


def _shortened(message: str) -> str:
    """Return a message of the validator, which repeats the whole value, at a length people read."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    half = LONGEST_MESSAGE // 2
    return f"{message[:half]} … {message[-half:]}"


def from_certificate(
    extensions: Iterable[x509.Extension[x509.ExtensionType]],
) -> list[dict[str, Any]]:
    """Return a certificate's extensions as JSON, without those its signer adds."""
    return [_to_json(found) for found in extensions if found.oid not in SIGNERS_OWN]


def find(extensions: Sequence[Extension], kind: type[x509.ExtensionType]) -> Extension | None:
    return next((found for found in extensions if isinstance(found.value, kind)), None)


def _parse_one(item: object) -> Extension:
    if not isinstance(item, Mapping):
        raise ValueError("an extension is an object: {name, value, critical}.")  # noqa: TRY004
    critical = item.get("critical", False)
    if not isinstance(critical, bool):
        raise ValueError("critical is true or false.")  # noqa: TRY004
    if "oid" in item:
        return Extension(_by_oid(item), critical)
    known = KNOWN.get(str(item.get("name")))
    if known is None:
        raise ValueError(f"not a known name. Use {', '.join(KNOWN)}, or an oid.")
    return Extension(known.read(item.get("value")), critical)


def _by_oid(item: Json) -> x509.UnrecognizedExtension:
    oid = extension_values.oid(str(item["oid"]))
    if oid in SIGNERS_OWN:
        raise ValueError("the authority writes this extension by itself.")
    if oid in _NAMES and not str(item.get("value")).startswith("DER:"):
        raise ValueError(f'this is {_NAMES[oid]}: give it as {{"name": "{_NAMES[oid]}"}}.')
    return x509.UnrecognizedExtension(oid, asn1.parse(item.get("value")))


def _to_json(found: x509.Extension[x509.ExtensionType]) -> dict[str, Any]:
    name = _NAMES.get(found.oid)
    if name is not None:
        try:
            written = KNOWN[name].write(found.value)
            if KNOWN[name].read(written).public_bytes() == found.value.public_bytes():
                return {"name": name, "value": written, "critical": found.critical}
        except UNREADABLE:
            pass  # Not expressible in the syntax above: keep the raw bytes.
    return {
        "oid": found.oid.dotted_string,
        "value": f"DER:{found.value.public_bytes().hex()}",
        "critical": found.critical,
    }


def _title(item: object) -> str:
    if isinstance(item, Mapping):
        title = str(item.get("name") or item.get("oid") or "extension")[:128]
        # The text becomes part of a response, so it must be printable.
        return title.encode(errors="backslashreplace").decode()
    return "extension"


def _dotted(extension: Extension) -> str:
    return _NAMES.get(extension.oid, extension.oid.dotted_string)


def _rejected(problem: str) -> Rejected:
    return Rejected({"extensions": problem})


def extension_of(
    certificate: x509.Certificate, kind: type[ExtensionValue]
) -> ExtensionValue | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def issuer_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the issuer's key identifier, computed if the (imported) issuer has none."""
    own = extension_of(issuer, x509.SubjectKeyIdentifier)
    if own is not None:
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)
    key: PublicKey = issuer.public_key()  # type: ignore[assignment]
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
