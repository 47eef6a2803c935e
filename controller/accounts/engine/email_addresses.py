"""When two e-mail addresses are the same one.

Databases disagree: in upper case, PostgreSQL takes a dotless i for an i, and SQLite knows no
letters beyond ASCII. So they only find candidates, and this decides.
"""

import unicodedata


def canonical_email(text: str) -> str:
    """Return the form in which addresses are compared as somebody's identity.

    >>> canonical_email(" Ann@Example.ORG ") == canonical_email("ann@example.org")
    True

    A sharp s is no double s here: these are two domains, which may belong to two people.
    """
    return unicodedata.normalize("NFKC", text.strip()).lower()


def is_same_email(one: str, other: str) -> bool:
    return canonical_email(one) == canonical_email(other)


def is_like_email(one: str, other: str) -> bool:
    """Return whether two addresses are the same, or could be taken for each other.

    >>> is_like_email("ann@stra\u00dfe.example", "ann@strasse.example")
    True
    """
    return canonical_email(one).casefold() == canonical_email(other).casefold()
