"""Hiding secrets from those who may read a configuration but not its keys and passwords."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from controller.base.masking import MASK, looks_secret, masked, without_pem

__all__ = ["MASK", "looks_secret", "masked", "masked_text", "secrets_in"]

# Long enough not to hide every "1" and "lan" of a file because a password is as short.
SHORTEST = 4
UCI_LINE = re.compile(r"^(\s*(?:option|list)\s+'?(\w+)'?\s+)'.*'$", re.MULTILINE)
UCI_QUOTE = "'\\''"


def secrets_in(data: Any, name: str = "") -> Iterator[str]:
    """The secrets that JSON data holds."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from secrets_in(value, str(key))
    elif isinstance(data, list):
        for item in data:
            yield from secrets_in(item, name)
    elif isinstance(data, str) and looks_secret(name):
        yield data


def masked_text(text: str, secrets: Iterable[str] = ()) -> str:
    """A configuration file without private keys, secret options and these secrets."""
    text = without_pem(text)
    # Longest first: one secret may be the beginning of another.
    for secret in sorted(
        {one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True
    ):
        for written in {secret, secret.replace("'", UCI_QUOTE)}:
            text = text.replace(written, MASK)

    def line(found: re.Match[str]) -> str:
        return f"{found[1]}'{MASK}'" if looks_secret(found[2]) else found[0]

    return UCI_LINE.sub(line, text)
