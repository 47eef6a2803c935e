"""When two e-mail addresses are the same one.

Databases disagree: in upper case, PostgreSQL takes a dotless i for an i, and SQLite knows no
letters beyond ASCII. So they only find candidates, and this decides.
"""

import unicodedata


def canonical_email(text: str) -> str:
    """Return the form in which addresses are compared.

    >>> canonical_email(" Ann@Example.ORG ") == canonical_email("ann@example.org")
    True
    """
    return unicodedata.normalize("NFKC", text.strip()).casefold()


def is_same_email(one: str, other: str) -> bool:
    return canonical_email(one) == canonical_email(other)
