"""Exchanges recorded with OpenWISP Controller 1.3.2, repeated against Muster.

Each answer has the recorded status and, as JSON, at least the recorded keys.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.configs.models import Template
from controller.configs.rules.devices import deactivate
from controller.configs.rules.push_results import mark_applied, save_progress
from controller.connections.rules.commands import send
from tests import factories
from tests.document import misfit_of

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.json"))

# Rows used by the recorded requests, by their recorded ids.
ORGANIZATION = "6eee7ff3-d819-44f1-8052-5b06d2116c0e"
GROUP = "d5bba34f-b410-4f55-8094-fb06e2ccbc4b"
OTHER_GROUP = "ef17d9f3-b451-4a92-a712-b21c9471dc1e"
TEMPLATE = "d9dd734d-64ec-4934-affd-6e5c73024064"
DEVICE = "e27ab280-abc3-4554-a717-d60e96f0f528"
CREDENTIALS = "3e806212-45f9-4517-8eaf-da07832d1f7d"
OLD_CREDENTIALS = "ff6fa368-281c-4c89-8c7e-670c658e93ed"
CONNECTION = "01777a28-ca08-49f6-b62d-6bcf2de467b7"
COMMAND = "dded9c77-6502-4a5b-b03f-1a21453a5441"
LATER_DEVICE = "bc972e99-1707-4928-9c9c-7b6d52f89341"
LATER_CONNECTION = "b44b3a39-3c80-4200-a706-798c78295286"


@pytest.fixture
def stage(db: Any) -> dict[str, str]:
    """Create the rows as they were during the recording. Returns recorded id → ours."""
    organization = Organization.objects.create(name="Peer", slug="peer-org")
    factories.user(
        organization, username="admin", is_superuser=True, is_staff=True
    ).set_password("admin")
    User.objects.filter(username="admin").update(password=_hashed("admin"))
    group, other = factories.group(organization), factories.group(organization)
    template = factories.template(
        organization, name="t-224154", config={"general": {"timezone": "UTC"}}
    )
    device = factories.device(
        organization,
        name="cap-224154",
        mac_address="00:16:3e:22:41:54",
        config={"templates": [template]},
    )
    credentials = factories.credentials(organization)
    connection = factories.connection(device, credentials, update_strategy="openwrt-agent")
    later = factories.device(organization, config={})
    return {
        ORGANIZATION: str(organization.pk),
        GROUP: str(group.pk),
        OTHER_GROUP: str(other.pk),
        TEMPLATE: str(template.pk),
        DEVICE: str(device.pk),
        CREDENTIALS: str(credentials.pk),
        OLD_CREDENTIALS: str(factories.credentials(organization).pk),
        CONNECTION: str(connection.pk),
        LATER_DEVICE: str(later.pk),
        COMMAND: str(send(device, type="custom", input={"command": "echo hi"}).pk),
        LATER_CONNECTION: str(factories.connection(later, credentials).pk),
    }


def _hashed(password: str) -> str:
    from django.contrib.auth.hashers import make_password

    return make_password(password)


def _before(name: str, stage: dict[str, str]) -> None:
    """Create what a recorded request requires beyond the stage."""
    if name.startswith(("device_create", "template_create")):
        Template.objects.filter(pk=stage[TEMPLATE]).update(name="another")
        factories.Device.objects.filter(pk=stage[DEVICE]).delete()
    if name == "error_400_command_no_credentials":
        factories.DeviceConnection.objects.all().delete()
    if name == "connection_create":
        factories.DeviceConnection.objects.filter(pk=stage[CONNECTION]).delete()
    if name.startswith("device_list_"):
        config = factories.Device.objects.get(pk=stage[DEVICE]).config
        mark_applied(config, config.desired_id)
        save_progress([config])
        factories.Device.objects.filter(pk=stage[DEVICE]).update(name="peer-0000012")
    if name == "device_activate" or name.startswith("error_deactivated"):
        deactivate(factories.Device.objects.get(pk=stage[DEVICE]))
    if name == "error_400_template_duplicate":
        Template.objects.filter(pk=stage[TEMPLATE]).update(name="t-224154")


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_a_recorded_exchange_is_answered_alike(
    path: Path, stage: dict[str, str], api: Any
) -> None:
    text = path.read_text()
    for recorded, ours in stage.items():
        text = text.replace(recorded, ours)
    recorded = json.loads(text)
    _before(path.stem, stage)
    answer = repeat(api, path.stem, recorded["request"])
    request = recorded["request"]
    assert not misfit_of(request["method"], request["path"], answer)
    assert answer.status_code == recorded["status"], answer.content
    for name in ("Content-Type", "WWW-Authenticate", "Content-Disposition"):
        if name in recorded["headers"]:
            assert answer.headers[name] == recorded["headers"][name], name
    if isinstance(recorded["body"], dict):
        has_keys_of(recorded["body"], answer.json(), path.stem)


def repeat(api: Any, name: str, request: dict[str, Any]) -> Any:
    user = User.objects.get(username="admin")
    if "_401_" in name:
        client = APIClient()
        if name == "error_401_bad_token":
            client.credentials(HTTP_AUTHORIZATION="Bearer 0123456789")
    else:
        client = api(user)
    body = request["body"]
    if isinstance(body, str) or name == "error_415":
        kind = "text/plain" if name == "error_415" else "application/json"
        return client.generic(request["method"], request["path"], str(body), kind)
    return client.generic(
        request["method"],
        request["path"],
        "" if body is None else json.dumps(body),
        "application/json",
    )


def has_keys_of(expected: Any, found: Any, where: str) -> None:
    if isinstance(expected, dict):
        assert isinstance(found, dict), where
        if where.rpartition(".")[2] in {"context", "default_values", "meta_data", "params"}:
            return
        if (
            where.endswith(".config")
            and "backend" not in expected
            and "__all__" not in expected
        ):
            return  # NetJSON has keys of its own
        missing = expected.keys() - found.keys()
        assert not missing, f"{where} lacks {missing}"
        for key in expected.keys() & found.keys():
            has_keys_of(expected[key], found[key], f"{where}.{key}")
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        assert found, where
        has_keys_of(expected[0], found[0], f"{where}[0]")
