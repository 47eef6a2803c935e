"""ASN.1 string values of custom extensions (DER, ITU-T X.690)."""

from collections.abc import Callable

from cryptography.hazmat import asn1

LARGEST = 64 * 1024
_TYPES: dict[str, Callable[[str], object]] = {
    "UTF8": str, "PRINTABLE": asn1.PrintableString, "IA5": asn1.IA5String, "OCTET": str.encode,
}  # fmt: skip
_REJECTED = {
    "UTF8": "the text is not valid Unicode.",
    "PRINTABLE": "PRINTABLE holds letters, digits, space and ' ( ) + , - . / : = ? only.",
    "IA5": "IA5 holds ASCII only; use UTF8.",
}


def parse(value: object) -> bytes:
    """Encode `ASN1:<UTF8|IA5|PRINTABLE|OCTET>:<value>` or `DER:<hex>` as DER."""
    if not isinstance(value, str):
        raise ValueError("the value is a text that begins with ASN1: or DER:.")  # noqa: TRY004
    if value.startswith("DER:"):
        return _limited(_hex(value.removeprefix("DER:")))
    if not value.startswith("ASN1:"):
        raise ValueError(
            "the value of a custom OID begins with ASN1: (or DER:, for raw bytes)."
        )
    try:
        _, kind, form, raw = value.split(":", 3)
    except ValueError as error:
        raise ValueError("write the value as ASN1:<type>:<string or hex>:<value>.") from error
    kind = kind.strip().upper()
    if kind not in _TYPES:
        raise ValueError(f"the ASN.1 type is one of {', '.join(_TYPES)}, not {kind[:32]}.")
    expected = "hex" if kind == "OCTET" else "string"
    if form.strip().lower() != expected:
        raise ValueError(f"{kind} takes the form ASN1:{kind}:{expected}:<value>.")
    return encode(kind, raw)


def encode(kind: str, raw: str) -> bytes:
    if kind == "OCTET":
        return asn1.encode_der(_limited(_hex(raw)))
    if "\0" in raw:
        raise ValueError("null characters are not allowed.")
    _limited(raw.encode())
    try:
        return asn1.encode_der(_TYPES[kind](raw))
    except ValueError as error:
        raise ValueError(_REJECTED[kind]) from error


def _hex(raw: str) -> bytes:
    try:
        return bytes.fromhex(raw.replace(":", "").strip())
    except ValueError as error:
        raise ValueError("not an even number of hexadecimal digits.") from error


def _limited(payload: bytes) -> bytes:
    if len(payload) > LARGEST:
        raise ValueError(f"more than {LARGEST // 1024} KiB.")
    return payload
