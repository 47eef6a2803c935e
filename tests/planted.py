"""Plants a marker in every secret field of every model, and looks for them in answers."""

import gzip
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from allauth.account.models import EmailAddress, EmailConfirmation
from django.apps import apps
from django.db.models import Model
from django.utils import timezone

from controller.accounts.models import Authenticator, Version
from controller.base import archive
from controller.base.secret_fields import NOTHING, secret_fields
from controller.configs.models import Config, Rollout, Snapshot, Template
from controller.connections.models import Command, Credentials, Terminal, TerminalPart
from controller.firmware.models import ConfigurationBackup
from controller.vpn.models import Vpn, VpnClient
from networks.gateways.models import Change, StoredConfiguration
from supervisor_proxy.models import (
    IngressSession,
    RememberedAnswer,
    StoredBackup,
    Supervisor,
)
from tests.demo_world import World

MARKER = re.compile(r"planted-([a-z]+-[a-z]+-[a-z_]+)")
# JSON whose parts are configurations, variables, or rows by themselves.
NESTED = frozenset({"config", "context", "default_values", "meta_data", "configuration"})
# Kept by libraries, not by our models.
BESIDE = ("account-emailconfirmation-key",)


def secret_models() -> list[type[Model]]:
    return [model for model in apps.get_models() if secret_fields(model) is not NOTHING]


def name_of(model: type[Model], field: str) -> str:
    return f"{model._meta.app_label.replace('_', '')}-{model._meta.model_name}-{field}"


def names() -> set[str]:
    """Every secret field of every model."""
    found = {
        name_of(model, field)
        for model in secret_models()
        for field in secret_fields(model).names
    }
    return found | set(BESIDE)


def plant(world: World) -> None:
    """Fill every secret field of every row, and make a row where there is none."""
    add_rows(world)
    for model in secret_models():
        rows = list(model._default_manager.all())
        assert rows, f"tests/planted.py makes no row of {model._meta.label}"
        for row in rows:
            values = {
                field: planted(row, field, f"planted-{name_of(model, field)}")
                for field in secret_fields(model).names
            }
            model._default_manager.filter(pk=row.pk).update(**values)


def add_rows(world: World) -> None:
    """Rows that hold secrets, and that no route has in its path."""
    viewer = world.people["viewer"]
    Authenticator.objects.create(user=viewer, secret="x")
    email = EmailAddress.objects.filter(user=viewer).first()
    EmailConfirmation.objects.create(
        email_address=email, key="planted-account-emailconfirmation-key", sent=timezone.now()
    )
    supervisor = Supervisor.objects.get()
    RememberedAnswer.objects.create(
        user=viewer, key_digest="x", request_digest="x", status=200, body="x"
    )
    IngressSession.objects.create(
        supervisor=supervisor, user=viewer, addon="x", label="x", ticket_digest="x",
        entry="x", session="x",
    )  # fmt: skip
    TerminalPart.objects.create(terminal=Terminal.objects.get(), number=1, events=b"x")
    VpnClient.objects.create(vpn_id=world.rows["vpn"], device_id=world.rows["device"])
    Command.objects.update(type="change_password")
    StoredBackup.objects.update(password="x")
    ConfigurationBackup.objects.create(device_id=world.rows["device"], size=1, archive=b"x")


def wifi(marker: str) -> bytes:
    text = f"config wifi-iface 'x'\n\toption key '{marker}'\n"
    return archive.gzip(
        archive.tar([archive.File("etc/config/wireless", 0o644, text.encode())])
    )


def ingredients(row: Snapshot, marker: str) -> dict[str, Any]:
    held = {"config": configuration({}, marker), "context": {"wifi_password": marker}}
    secrets = [marker, f"planted-{name_of(Snapshot, 'archive')}"]
    return {**(row.made_of or {}), **held, "secrets": secrets}


# Where a marker goes in fields that hold something of their own.
SPECIAL: Mapping[tuple[type[Model], str], Callable[[Any, str], Any]] = {
    (Command, "input"): lambda _, marker: {"password": marker, "confirm_password": marker},
    (StoredConfiguration, "contents"): lambda _, marker: f"<key>{marker}</key>".encode(),
    (StoredConfiguration, "settings"): lambda _, marker: marker.encode(),
    (Credentials, "params"): lambda _, marker: {
        "username": "root", "password": marker, "key": marker,
    },
    (Snapshot, "archive"): lambda _, marker: wifi(marker),
    (ConfigurationBackup, "archive"): lambda _, marker: wifi(marker),
    (Snapshot, "made_of"): ingredients,
    (Version, "values"): lambda row, marker: version(row.values, marker),
    (Template, "config"): lambda row, marker: configuration(row.config, marker),
    (Config, "config"): lambda row, marker: configuration(row.config, marker),
    (Rollout, "config"): lambda row, marker: configuration(row.config, marker),
    (TerminalPart, "events"): lambda _, marker: f'[0.1, "o", "{marker}"]\n'.encode(),
    (Change, "secrets"): lambda _, marker: {"password": marker},
    (Vpn, "archive"): lambda _, marker: wifi(marker),
}  # fmt: skip


def planted(row: Any, field: str, marker: str) -> Any:
    """The value of this field with the marker in it, in a place where secrets are."""
    if (type(row), field) in SPECIAL:
        return SPECIAL[type(row), field](row, marker)
    known = getattr(row, field)
    return {**known, "wifi_password": marker} if isinstance(known, Mapping) else marker


def configuration(known: Mapping[str, Any], marker: str) -> dict[str, Any]:
    """NetJSON with the marker as a key of a wireless network, and in a file."""
    encryption = {"protocol": "wpa2_personal", "key": marker}
    wireless = {
        "radio": "radio0",
        "mode": "access_point",
        "ssid": "x",
        "encryption": encryption,
    }
    file = {
        "path": "/etc/config/more", "mode": "0600",
        "contents": f"config x 'x'\n\toption password '{marker}'\n",
    }  # fmt: skip
    return {
        **known,
        "interfaces": [{"name": "wlan0", "type": "wireless", "wireless": wireless}],
        "files": [*known.get("files", []), file],
    }


def version(values: Mapping[str, Any], marker: str) -> dict[str, Any]:
    """What a version holds, with the marker wherever the row itself has a secret."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if name in {"key", "auth_token", "private_key"}:
            found[name] = marker
        elif name in NESTED and isinstance(value, Mapping):
            found[name] = {**version(value, marker), "wifi_password": marker}
        else:
            found[name] = value
    return found


def found_in(content: bytes) -> set[str]:
    """Which markers an answer holds, also packed."""
    return {one for text in unpacked(content) for one in MARKER.findall(text)}


def unpacked(content: bytes) -> Iterator[str]:
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            for name in packed.namelist():
                yield packed.read(name).decode(errors="replace")
    yield content.decode(errors="replace")
