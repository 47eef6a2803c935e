"""JSON Schemas of single values, used to build the payload schemas.

``compare`` is the kind of value (``values.KINDS``), which decides when two spellings are
equal.
"""

from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

TEXT: Schema = {"type": "string", "maxLength": 255}
NAME: Schema = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_]([A-Za-z0-9_ .-]{0,62}[A-Za-z0-9_.-])?$",
}
FLAG: Schema = {"type": "boolean"}
# A flag that is off if the answer omits it.
OFF: Schema = {**FLAG, "default": False}
PORT: Schema = {"type": "integer", "minimum": 1, "maximum": 65535}
PORTS: Schema = {
    "type": ["string", "integer"],
    "pattern": r"^[A-Za-z0-9_:,-]{0,64}$",
    "compare": "ports",
}
NETWORK: Schema = {
    "type": "string",
    "pattern": r"^[0-9a-fA-F.:]+(/\d{1,3})?$",
    "maxLength": 49,
    "compare": "network",
}
# Interface address with prefix length; host bits are significant.
CIDR: Schema = {**NETWORK, "compare": "cidr"}
CIDRS: Schema = {"type": "array", "items": CIDR, "maxItems": 256}
NETWORKS: Schema = {"type": "array", "items": NETWORK, "maxItems": 256}
ADDRESS: Schema = {
    "type": "string",
    "pattern": r"^[0-9a-fA-F.:]{2,45}$",
    "compare": "address",
}
ADDRESSES: Schema = {"type": "array", "items": ADDRESS, "maxItems": 256}
MAC: Schema = {
    "type": "string",
    "pattern": r"^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$",
    "compare": "mac",
}
# 32 bytes in base64: the last character before = has two zero bits.
KEY: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"}
SECRET_KEY: Schema = {**KEY, "writeOnly": True}
SECRET: Schema = {"type": "string", "minLength": 8, "maxLength": 255, "writeOnly": True}
WHERE: Schema = {
    "type": "string",
    "pattern": r"^!?[A-Za-z0-9_.:/-]{1,128}$",
    "compare": "where",
}
WHERES: Schema = {"type": "array", "items": WHERE, "maxItems": 256}
WORD: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,64}$"}
HOST: Schema = {
    "type": "string",
    "pattern": r"^(\*\.)?[A-Za-z0-9_.-]{1,253}$",
    "compare": "case",
}
UUID: Schema = {"type": "string", "pattern": r"^[0-9a-f-]{36}$", "compare": "case"}
# Text stored by lines, with a trailing newline.
LINES: Schema = {**TEXT, "compare": "lines"}
DURATION: Schema = {
    "type": "string",
    "pattern": r"^[0-9wdhms:]{1,20}$",
    "compare": "duration",
}
RATE: Schema = {
    "type": "string",
    "pattern": r"^[0-9kMG]{1,12}/[0-9kMG]{1,12}$",
    "compare": "rate",
}
SPEED: Schema = {"type": "string", "pattern": r"^[0-9]{1,11}[kMG]?$", "compare": "rate"}
# Id of an item of RouterOS.
ITEM: Schema = {"type": "string", "pattern": r"^\*[0-9A-F]{1,8}$"}
FILE: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9_*./ -]{1,128}$"}
WEB_ADDRESS: Schema = {"type": "string", "pattern": r"^[a-z]{3,5}://\S{1,500}$"}
INTERFACE: Schema = {"type": "string", "pattern": r"^[A-Za-z0-9_.-]{1,15}$"}
VLAN: Schema = {"type": "integer", "minimum": 1, "maximum": 4094}
MTU: Schema = {"type": "integer", "minimum": 576, "maximum": 9300}
SECONDS: Schema = {"type": "integer", "minimum": 0, "maximum": 86400}


def number(least: int, most: int) -> Schema:
    return {"type": "integer", "minimum": least, "maximum": most}


def one_of(*values: str) -> Schema:
    return {"enum": list(values)}


def several(*values: str) -> Schema:
    return {"type": "array", "items": {"enum": list(values)}, "maxItems": len(values)}


def ordered(items: Schema) -> Schema:
    """Return the schema of a list with significant order."""
    return {**items, "compare": "list"}
