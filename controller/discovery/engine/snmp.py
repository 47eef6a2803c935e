"""Minimal SNMP 2c for identification: one request, in BER."""

# Requested OIDs, by our own names.
NAMES = {
    "snmp": bytes.fromhex("06082b06010201010100"),  # sysDescr.0
    "snmp:name": bytes.fromhex("06082b06010201010500"),  # sysName.0
}
OCTETS, NULL = 0x04, b"\x05\x00"
LONGEST_COMMUNITY = 64


def request(community: str) -> bytes:
    bindings = b"".join(tagged(0x30, name + NULL) for name in NAMES.values())
    pdu = tagged(0xA0, b"\x02\x01\x01\x02\x01\x00\x02\x01\x00" + tagged(0x30, bindings))
    name = tagged(OCTETS, community.encode()[:LONGEST_COMMUNITY])
    return tagged(0x30, b"\x02\x01\x01" + name + pdu)


def tagged(tag: int, content: bytes) -> bytes:
    """Encode a BER value; its length must be below 128 except at the two outer levels."""
    size = len(content)
    length = bytes([size]) if size < 0x80 else bytes([0x81, size])  # noqa: PLR2004 - of BER
    return bytes([tag]) + length + content


def values(answer: bytes) -> dict[str, bytes]:
    """Return the texts in an answer; empty if it is not a valid answer."""
    found = {}
    for name, oid in NAMES.items():
        _, is_there, rest = answer.partition(oid)
        if is_there and rest[:1] == bytes([OCTETS]):
            found[name] = _octets(rest[1:])
    return found


def _octets(data: bytes) -> bytes:
    """Return a BER string: one length byte or a long-form length, then the text."""
    first = data[0] if data else 0
    more = first & 0x7F if first & 0x80 else 0
    size = int.from_bytes(data[1 : 1 + more], "big") if more else first
    return data[1 + more : 1 + more + size]
