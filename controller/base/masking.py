"""Masks for secrets: by the names of settings, in JSON data, texts, and archives.

Also the way back: what is written back with a mask in it keeps the secret that is stored.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from controller.base.archive import File

MASK = "••••••••"
SECRET_NAME = re.compile(
    r"(^|_)(key|psk|sae_password|password|passwd|passphrase|secret|token|pin)\d*$"
    r"|private|password|passphrase|secret"
    # Variables of VPN clients, which end in the id of the VPN server.
    r"|(^|_)(pvt_key|key_contents)(_|$)",
    re.IGNORECASE,
)
PEM = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)
UCI_LINE = re.compile(r"^(\s*(?:option|list)\s+'?(\w+)'?\s+)'.*'$", re.MULTILINE)
UCI_QUOTE = "'\\''"
# ``name=value`` and ``name: value``; a value of several lines is no assignment.
ASSIGNMENT = re.compile(
    r"^(\s*(?:export\s+)?[\"']?([\w.-]+)[\"']?\s*[=:]\s*)(?!{{)(\S[^\n]*)$", re.MULTILINE
)
# A setting in XML, as a word of a command line, and in JSON.
XML_ELEMENT = re.compile(
    r"(?P<head><(?P<name>[\w.-]+)(?:\s[^<>]*)?>)(?P<value>[^<]+|<!\[CDATA\[.*?\]\]>)(?P<tail></(?P=name)>)",
    re.DOTALL,
)
WORD_VALUE = re.compile(
    r"(?P<head>(?<=[\s(])(?P<name>[a-zA-Z][\w.-]*)=)"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|[^\s\"]+)(?P<tail>)",
    re.DOTALL,
)
JSON_VALUE = re.compile(
    r'(?P<head>"(?P<name>[\w.-]+)":\s*")(?P<value>(?:[^"\\]|\\.)+)(?P<tail>")'
)
# Names of secrets that only configurations of gateways have: hashes, private keys, communities.
CONFIGURED_SECRET = re.compile(
    r"(^|_)(prv|privkey|bindpw|hash|rocommunity|rwcommunity|community|otp_seed|seed|tls|apikeys"
    r"|sharedkey|psks?|presharedkey|authkey|radius_key|wpa2?_key)$|passwd|_hash$",
    re.IGNORECASE,
)
# Long enough not to hide every "1" and "lan" of a file because a password is as short.
SHORTEST = 4
# What tells two entries of a list apart, so that one that moved keeps its own secrets.
IDENTITIES = ("id", "name", "path", "ifname", "ssid", "peer")


def looks_secret(name: str) -> bool:
    """Return whether a setting of this name is likely to hold a secret.

    >>> looks_secret("key"), looks_secret("wifi_password"), looks_secret("keyboard")
    (True, True, False)
    """
    return SECRET_NAME.search(name) is not None


def masked(data: Any, name: str = "") -> Any:
    """Return a copy of JSON data with the values of secret settings replaced."""
    if isinstance(data, Mapping):
        return {key: masked(value, str(key)) for key, value in data.items()}
    if isinstance(data, list):
        return [masked(item, name) for item in data]
    if looks_secret(name):
        # A number may be a PIN, and False says nothing that is secret.
        return MASK if data and not isinstance(data, bool) else data
    return _masked_lines(data) if isinstance(data, str) else data


def secrets_in(data: Any, name: str = "") -> Iterator[str]:
    """Yield the secrets that JSON data holds."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from secrets_in(value, str(key))
    elif isinstance(data, list):
        for item in data:
            yield from secrets_in(item, name)
    elif looks_secret(name) and data and not isinstance(data, bool):
        yield str(data)


def masked_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without private keys, secret options and these secrets."""
    text = without_pem(text)
    # Longest first: one secret may be the beginning of another.
    for secret in sorted(
        {one for one in secrets if len(one) >= SHORTEST}, key=len, reverse=True
    ):
        for written in {secret, secret.replace("'", UCI_QUOTE)}:
            text = text.replace(written, MASK)
    return _masked_lines(text)


def masked_configuration(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a gateway's configuration without its secrets, line for line.

    Texts of UCI, RouterOS exports, XML and JSON; `secrets` are masked wherever they stand.
    """
    text = masked_text(text, secrets)
    for pattern in (XML_ELEMENT, WORD_VALUE, JSON_VALUE):
        text = pattern.sub(_configured, text)
    return text


def _configured(found: re.Match[str]) -> str:
    name = found["name"].replace("-", "_")
    is_secret = looks_secret(name) or CONFIGURED_SECRET.search(name)
    if not is_secret or found["value"].strip("\"' ") in {"", "yes", "no", "true", "false"}:
        return found[0]
    return f"{found['head']}{MASK}{found['tail']}"


def masked_document(text: str) -> str:
    """Return an answer in JSON, or in any other text, without its secrets."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return masked_text(text)
    hidden = masked(data)
    return text if hidden == data else json.dumps(hidden, ensure_ascii=False)


def masked_files(files: Iterable[File], secrets: Iterable[str] = ()) -> list[File]:
    """Return the files of an archive, each without its secrets; what is no text is left empty."""
    known = list(secrets)
    return [File(file.path, file.mode, _masked_bytes(file.contents, known)) for file in files]


def _masked_bytes(contents: bytes, secrets: list[str]) -> bytes:
    try:
        text = contents.decode()
    except UnicodeDecodeError:
        return b""
    return masked_text(text, secrets).encode()


def without_pem(text: str) -> str:
    return PEM.sub(rf"\1\n{MASK}\n\2", text)


def _masked_lines(text: str) -> str:
    text = without_pem(text)
    if "\n" not in text and not UCI_LINE.search(text):
        # One line is a value by itself, which its own name tells about.
        return text

    def option(found: re.Match[str]) -> str:
        return f"{found[1]}'{MASK}'" if looks_secret(found[2]) else found[0]

    def assignment(found: re.Match[str]) -> str:
        return f"{found[1]}{MASK}" if looks_secret(found[2]) else found[0]

    return ASSIGNMENT.sub(assignment, UCI_LINE.sub(option, text))


# --- the way back


def holds_mask(data: Any) -> bool:
    """Whether there is a mask anywhere in JSON data."""
    if isinstance(data, Mapping):
        return any(holds_mask(value) for value in data.values())
    if isinstance(data, list | tuple):
        return any(holds_mask(value) for value in data)
    return isinstance(data, str) and MASK in data


def unmasked(data: Any, stored: Any) -> Any:
    """Return the data with each mask replaced by what is stored in its place.

    A mask with nothing stored in its place is left: :func:`holds_mask` finds it.
    """
    if isinstance(data, Mapping):
        known = stored if isinstance(stored, Mapping) else {}
        return {key: unmasked(value, known.get(key)) for key, value in data.items()}
    if isinstance(data, list):
        known_items = stored if isinstance(stored, list) else []
        return [
            unmasked(item, _counterpart(item, at, known_items)) for at, item in enumerate(data)
        ]
    if not isinstance(data, str) or MASK not in data or stored is None:
        return data
    return (
        stored if data == MASK or not isinstance(stored, str) else _unmasked_text(data, stored)
    )


def _counterpart(item: Any, at: int, stored: Sequence[Any]) -> Any:
    """Return the stored entry that `item` replaces: by its name, else by its position."""
    if isinstance(item, Mapping):
        for name in IDENTITIES:
            same = [
                one
                for one in stored
                if isinstance(one, Mapping) and name in item and one.get(name) == item[name]
            ]
            if len(same) == 1:
                return same[0]
    return stored[at] if at < len(stored) else None


def _unmasked_text(text: str, stored: str) -> str:
    """Return the text with its masked lines and private keys taken from the stored text."""
    keys = iter(found[0] for found in PEM.finditer(stored))
    text = PEM.sub(lambda found: next(keys, found[0]) if MASK in found[0] else found[0], text)
    known = _by_masked_line(PEM.sub("", stored))
    lines = [
        known[line].pop(0) if MASK in line and known.get(line) else line
        for line in text.split("\n")
    ]
    return "\n".join(lines)


def _by_masked_line(text: str) -> dict[str, list[str]]:
    """Lines that hold secrets, in their order, by what they look like when masked."""
    known: dict[str, list[str]] = defaultdict(list)
    hidden = _masked_lines(text + "\n").splitlines()
    for masked_line, line in zip(hidden, text.splitlines(), strict=False):
        if MASK in masked_line:
            known[masked_line].append(line)
    return known
