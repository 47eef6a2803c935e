"""Names that hold secrets, and copies of JSON data without them."""

import re
from collections.abc import Mapping
from typing import Any

MASK = "••••••••"
SECRET_NAME = re.compile(
    r"(^|_)(key|psk|sae_password|password|passwd|passphrase|secret|token|pin)\d*$"
    r"|private|password|passphrase|secret"
    # Variables of VPN clients, which end in the id of their server.
    r"|(^|_)(pvt_key|key_contents)(_|$)",
    re.IGNORECASE,
)
PEM = re.compile(
    r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(-----END [A-Z ]*PRIVATE KEY-----)", re.DOTALL
)


def looks_secret(name: str) -> bool:
    """Whether a setting of this name holds a secret, as far as names can tell.

    >>> looks_secret("key"), looks_secret("wifi_password"), looks_secret("keyboard")
    (True, True, False)
    """
    return SECRET_NAME.search(name) is not None


def masked(data: Any, name: str = "") -> Any:
    """A copy of JSON data with the values of secret settings replaced."""
    if isinstance(data, Mapping):
        return {key: masked(value, str(key)) for key, value in data.items()}
    if isinstance(data, list):
        return [masked(item, name) for item in data]
    if isinstance(data, str):
        return MASK if data and looks_secret(name) else without_pem(data)
    return data


def without_pem(text: str) -> str:
    return PEM.sub(rf"\1\n{MASK}\n\2", text)
