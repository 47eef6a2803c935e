"""ASN.1 string values of custom extensions (DER, ITU-T X.690)."""

import re

LARGEST = 64 * 1024
_TAGS = {"UTF8": 0x0C, "PRINTABLE": 0x13, "IA5": 0x16, "OCTET": 0x04}
_PRINTABLE = re.compile(r"[A-Za-z0-9 '()+,./:=?-]*")
_SHORT_LENGTH = 0x80


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
    if kind not in _TAGS:
        raise ValueError(f"the ASN.1 type is one of {', '.join(_TAGS)}, not {kind[:32]}.")
    expected = "hex" if kind == "OCTET" else "string"
    if form.strip().lower() != expected:
        raise ValueError(f"{kind} takes the form ASN1:{kind}:{expected}:<value>.")
    return encode(kind, raw)


def encode(kind: str, raw: str) -> bytes:
    payload = _limited(_payload(kind, raw))
    return bytes([_TAGS[kind]]) + _length(len(payload)) + payload


def text(der: bytes) -> str:
    """Decode one string value. Raises ValueError for other types or trailing data."""
    tag, payload = split(der)
    if tag not in _TAGS.values():
        raise ValueError("not a string")
    return payload.decode("utf-8")


def split(der: bytes) -> tuple[int, bytes]:
    """Return tag and content of a single DER value.

    Raises ValueError on trailing data.
    """
    first, rest = take(der)
    if rest:
        raise ValueError("not one DER value")
    return first[0], first[len(first) - _content_length(first)[1] :]


def take(der: bytes) -> tuple[bytes, bytes]:
    """Split off the first DER value, with its header. Returns it and the rest."""
    header, length = _content_length(der)
    if len(der) < header + length:
        raise ValueError("a DER value cut short")
    return der[: header + length], der[header + length :]


def _content_length(der: bytes) -> tuple[int, int]:
    """Return the lengths of the header and of the content."""
    if len(der) < 2:  # noqa: PLR2004 - a tag and a length
        raise ValueError("a DER value cut short")
    if der[1] < _SHORT_LENGTH:
        return 2, der[1]
    octets = der[1] - _SHORT_LENGTH
    return 2 + octets, int.from_bytes(der[2 : 2 + octets], "big")


def _payload(kind: str, raw: str) -> bytes:
    if kind == "OCTET":
        return _hex(raw)
    if "\0" in raw:
        raise ValueError("null characters are not allowed.")
    if kind == "PRINTABLE" and not _PRINTABLE.fullmatch(raw):
        raise ValueError(
            "PRINTABLE holds letters, digits, space and ' ( ) + , - . / : = ? only."
        )
    if kind == "IA5" and not raw.isascii():
        raise ValueError("IA5 holds ASCII only; use UTF8.")
    return raw.encode("utf-8")


def _hex(raw: str) -> bytes:
    try:
        return bytes.fromhex(raw.replace(":", "").strip())
    except ValueError as error:
        raise ValueError("not an even number of hexadecimal digits.") from error


def _limited(payload: bytes) -> bytes:
    if len(payload) > LARGEST:
        raise ValueError(f"more than {LARGEST // 1024} KiB.")
    return payload


def _length(count: int) -> bytes:
    if count < _SHORT_LENGTH:
        return bytes([count])
    octets = count.to_bytes((count.bit_length() + 7) // 8, "big")
    return bytes([_SHORT_LENGTH | len(octets)]) + octets
