"""Subjects of certificates: conversion between form fields and X.509 names."""

import re
from dataclasses import asdict, dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from pki.engine.errors import Rejected

# Upper bounds of RFC 5280, appendix A.1.
LONGEST_TEXT = 64
LONGEST_EMAIL = 255


@dataclass(frozen=True)
class Subject:
    """Fields of a subject, in their order from the general to the specific."""

    country_code: str = ""
    state: str = ""
    city: str = ""
    organization_name: str = ""
    organizational_unit_name: str = ""
    email: str = ""
    common_name: str = ""


_OIDS = {
    "country_code": NameOID.COUNTRY_NAME,
    "state": NameOID.STATE_OR_PROVINCE_NAME,
    "city": NameOID.LOCALITY_NAME,
    "organization_name": NameOID.ORGANIZATION_NAME,
    "organizational_unit_name": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "email": NameOID.EMAIL_ADDRESS,
    "common_name": NameOID.COMMON_NAME,
}


def to_name(subject: Subject) -> x509.Name:
    """Convert to an X.509 name. Raises Rejected under the invalid field."""
    if not any(asdict(subject).values()):
        raise Rejected({"common_name": "Give at least one field of the subject."})
    attributes = []
    errors: dict[str, str | list[str]] = {}
    for field, text in asdict(subject).items():
        problem = _problem(field, text)
        if problem:
            errors[field] = problem
        elif text:
            attributes.append(x509.NameAttribute(_OIDS[field], text))
    if errors:
        raise Rejected(errors)
    return x509.Name(attributes)


def from_name(name: x509.Name) -> Subject:
    """Return the first value of each field. Other attributes are ignored."""
    values = {}
    for field, oid in _OIDS.items():
        found = name.get_attributes_for_oid(oid)
        values[field] = str(found[0].value) if found else ""
    return Subject(**values)


def _problem(field: str, text: str) -> str:
    if "\x00" in text:
        return "Null characters are not allowed."
    if field == "country_code" and text and not re.fullmatch(r"[A-Za-z]{2}", text):
        return "A country code has two letters (ISO 3166-1)."
    if field == "email":
        if not text.isascii():
            return "Only ASCII fits in a certificate's email address."
        return _too_long(text, LONGEST_EMAIL)
    return _too_long(text, LONGEST_TEXT)


def _too_long(text: str, most: int) -> str:
    return f"Ensure this field has no more than {most} characters." if len(text) > most else ""
