"""Values of known extensions in the syntax of OpenSSL's configuration."""

import ipaddress
import re
from collections.abc import Callable

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtendedKeyUsageOID

KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
EXTENDED_KEY_USAGES = {
    "serverAuth": ExtendedKeyUsageOID.SERVER_AUTH,
    "clientAuth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "codeSigning": ExtendedKeyUsageOID.CODE_SIGNING,
    "emailProtection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "timeStamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "OCSPSigning": ExtendedKeyUsageOID.OCSP_SIGNING,
    "ipsecIKE": ExtendedKeyUsageOID.IPSEC_IKE,
    "anyExtendedKeyUsage": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
# Bits of Netscape's certificate type, first bit first; the fifth is reserved.
NS_CERT_TYPES = ("client", "server", "email", "objsign", "", "sslCA", "emailCA", "objCA")

_OID_NAMES = {oid: name for name, oid in EXTENDED_KEY_USAGES.items()}
_DOTTED = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,39})){1,60}")


def words(value: object) -> list[str]:
    """Return a list, or a comma-separated text, as a list of non-empty texts."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError("the value is a text, or a list of texts.")
    found = [word.strip() for word in value if word.strip()]
    if not found:
        raise ValueError("the value is empty.")
    return found


def oid(dotted: str) -> x509.ObjectIdentifier:
    if not _DOTTED.fullmatch(dotted):
        raise ValueError("an object identifier is numbers with dots, such as 1.3.6.1.4.1.9.1.")
    try:
        return x509.ObjectIdentifier(dotted)
    except ValueError as error:
        raise ValueError(f"{dotted[:64]} is not an object identifier.") from error


def oids(names: list[str]) -> list[x509.ObjectIdentifier]:
    found = []
    for name in names:
        if name not in EXTENDED_KEY_USAGES and not name[0].isdigit():
            known = ", ".join(EXTENDED_KEY_USAGES)
            raise ValueError(f"{name[:64]} is not a known usage. Use {known}, or an OID.")
        found.append(EXTENDED_KEY_USAGES.get(name) or oid(name))
    return found


def write_oids(found: list[x509.ObjectIdentifier]) -> str:
    return ",".join(_OID_NAMES.get(one, one.dotted_string) for one in found)


def basic_constraints(options: list[str]) -> x509.BasicConstraints:
    authority = False
    path_length: int | None = None
    for option in options:
        key, _, value = (part.strip() for part in option.partition(":"))
        if key.upper() == "CA" and value.upper() in ("TRUE", "FALSE"):
            authority = value.upper() == "TRUE"
        elif key.lower() == "pathlen" and re.fullmatch(r"[0-9]{1,3}", value):
            path_length = int(value)
        else:
            raise ValueError("write CA:TRUE, CA:FALSE, or CA:TRUE,pathlen:<number>.")
    if path_length is not None and not authority:
        raise ValueError("pathlen is for authorities: add CA:TRUE.")
    return x509.BasicConstraints(ca=authority, path_length=path_length)


def write_basic_constraints(found: x509.BasicConstraints) -> str:
    path_length = "" if found.path_length is None else f",pathlen:{found.path_length}"
    return f"CA:{str(found.ca).upper()}{path_length}"


def key_usage(names: list[str]) -> x509.KeyUsage:
    unknown = [name for name in names if name not in KEY_USAGES]
    if unknown:
        raise ValueError(f"{unknown[0][:64]} is not a usage. Use {', '.join(KEY_USAGES)}.")
    if {"encipherOnly", "decipherOnly"} & set(names) and "keyAgreement" not in names:
        raise ValueError("encipherOnly and decipherOnly mean something with keyAgreement only.")
    return x509.KeyUsage(**{bit: name in names for name, bit in KEY_USAGES.items()})


def write_key_usage(found: x509.KeyUsage) -> str:
    # encipherOnly and decipherOnly are only defined with keyAgreement (RFC 5280, 4.2.1.3).
    bits = list(KEY_USAGES.items())[: None if found.key_agreement else -2]
    return ",".join(name for name, bit in bits if getattr(found, bit))


def ns_cert_type(names: list[str]) -> bytes:
    unknown = [name for name in names if name not in NS_CERT_TYPES]
    if unknown:
        kinds = ", ".join(filter(None, NS_CERT_TYPES))
        raise ValueError(f"{unknown[0][:64]} is not a certificate type. Use {kinds}.")
    bits = sum(0x80 >> NS_CERT_TYPES.index(name) for name in set(names))
    unused = (bits & -bits).bit_length() - 1
    return asn1.encode_der(asn1.BitString(bytes([bits]), unused))


def write_ns_cert_type(der: bytes) -> str:
    octets = asn1.decode_der(asn1.BitString, der).as_bytes()
    if len(octets) != 1:
        raise ValueError("not a Netscape certificate type")
    return ",".join(n for i, n in enumerate(NS_CERT_TYPES) if octets[0] & (0x80 >> i))


def general_names(items: list[str]) -> list[x509.GeneralName]:
    return [_general_name(*(part.strip() for part in item.partition(":"))) for item in items]


def _general_name(kind: str, _: str, value: str) -> x509.GeneralName:
    kinds: dict[str, Callable[[str], x509.GeneralName]] = {
        "DNS": x509.DNSName,
        "email": x509.RFC822Name,
        "URI": x509.UniformResourceIdentifier,
        "RID": lambda text: x509.RegisteredID(oid(text)),
        "IP": lambda text: x509.IPAddress(_address(text)),
        "IP Address": lambda text: x509.IPAddress(_address(text)),
    }
    if kind not in kinds or not value:
        raise ValueError("write names as DNS:host, IP:address, email:address or URI:address.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(f"{kind} holds printable ASCII; write an international name as xn--….")
    return kinds[kind](value)


def write_general_names(found: x509.SubjectAlternativeName) -> str:
    return ",".join(_write_general_name(name) for name in found)


def _write_general_name(name: x509.GeneralName) -> str:
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    labels = {
        x509.DNSName: "DNS",
        x509.RFC822Name: "email",
        x509.UniformResourceIdentifier: "URI",
        x509.IPAddress: "IP",
    }
    if type(name) not in labels:
        raise ValueError("a name of another kind")
    return f"{labels[type(name)]}:{name.value}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise ValueError(f"{text[:64]} is not an IP address.") from error
