"""The openssl command line as an independent check of the engine."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from pki.engine import keys
from pki.engine.certificates import random_serial
from pki.engine.contract import Template
from pki.engine.errors import Rejected
from pki.engine.extensions import parse
from pki.engine.names import Subject, to_name
from pki.engine.software_ca import SoftwareAuthority

NOW = datetime.now(UTC).replace(microsecond=0)


def openssl(*arguments: object, given: str | bytes = "", fails: bool = False) -> str:
    """Run openssl. Returns its output; an unexpected exit status fails the test."""
    done = subprocess.run(
        ["openssl", *map(str, arguments)],
        input=given.encode() if isinstance(given, str) else given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
        timeout=30,
    )
    output = done.stdout.decode(errors="replace")
    assert (done.returncode != 0) == fails, output
    return output


def template(name: str = "device-1", kind: str = "256", **values) -> tuple[Template, object]:
    """Return a template with a new key."""
    key = values.pop("key", None) or keys.generate(kind)
    made = {
        "subject": to_name(Subject(common_name=name)),
        "public_key": key.public_key(),
        "serial_number": random_serial(),
        "not_before": NOW - timedelta(days=1),
        "not_after": NOW + timedelta(days=365),
        "extensions": parse(values.pop("extensions", [])),
    }
    return Template(**(made | values)), key


def authority(
    name: str = "root", kind: str = "256", under: SoftwareAuthority | None = None, **values
) -> SoftwareAuthority:
    wanted, key = template(name, kind, authority=True, **values)
    if under is None:
        return SoftwareAuthority.create(wanted, key)
    return SoftwareAuthority(under.sign(wanted), key, under.chain())


def pem(*certificates: x509.Certificate) -> str:
    encoding = serialization.Encoding.PEM
    return "".join(one.public_bytes(encoding).decode() for one in certificates)


def refusal(action: Callable[[], object]) -> dict[str, list[str]]:
    """Return the messages by field that an action is refused with; empty if it is not."""
    try:
        action()
    except Rejected as rejected:
        return rejected.errors
    return {}


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path
