"""A session recorded with OpenWISP Controller 1.3.2, replayed in order.

``recording.jsonl`` contains each request with its answer (long texts cut). Recorded ids are
mapped to ours: the mapping is learned from the answers and applied to later requests. Each
answer has the recorded status and, at least, the recorded keys.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.configs.models import Config
from controller.configs.rules.push_results import mark_applied, save_progress
from controller.devices.models import Device
from pki.models import Cert
from tests import factories
from tests.document import misfit_of

RECORDING = [
    json.loads(line)
    for line in (Path(__file__).parent / "recording.jsonl").read_text().splitlines()
]
ORGANIZATION = "6eee7ff3-d819-44f1-8052-5b06d2116c0e"
OPAQUE = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}|[0-9a-f]{32}|\S+-[A-Za-z0-9]{8}")
# Free-form objects sent by the client: keys are not compared.
FREE = {"config", "context", "default_values", "meta_data", "params", "extensions"}
# Known differences of Muster's answers, with reasons.
OTHERWISE = {
    "ca_delete": (409, "a VPN server's certificate is of this CA, and would go with it"),
}


class Player:
    """Replays requests with recorded ids mapped to ours."""

    def __init__(self, client: APIClient, **known: str) -> None:
        self.client = client
        self.known: dict[str, str] = known

    def play(self, recorded: dict[str, Any]) -> None:
        answer = self.send(recorded)
        status, _ = OTHERWISE.get(recorded["name"], (recorded["status"], ""))
        assert answer.status_code == status, answer.content
        expected = recorded["answer"]
        if status != recorded["status"] or not isinstance(expected, dict | list):
            return
        if recorded["method"] == "OPTIONS":
            assert set(expected) <= set(answer.json().get("actions", {}).get("POST", {}))
            return
        assert not misfit_of(recorded["method"], self.ours(recorded["path"]), answer)
        found = answer.json()
        self.learn(expected, found, collection(recorded["path"]))
        lacking = list(missing(expected, found))
        assert not lacking

    def send(self, recorded: dict[str, Any]) -> Any:
        path, body = self.ours(recorded["path"]), recorded["body"]
        client = self.client_for(recorded["name"])
        if recorded["name"] == "floorplan_create":
            form = json.loads(self.ours(json.dumps(body))) | {"image": factories.upload()}
            return client.post(path, form, format="multipart")
        kind = "text/plain" if recorded["status"] == 415 else "application/json"
        text = body if isinstance(body, str) else self.ours(json.dumps(body))
        return client.generic(recorded["method"], path, "" if body is None else text, kind)

    def client_for(self, name: str) -> APIClient:
        if name.startswith("error_403_no_permission"):
            return signed_in(factories.user())
        if not name.endswith(("_401", "_no_key")) and "_401_" not in name:
            return self.client
        stranger = APIClient()
        if name == "error_401_bad_token":
            stranger.credentials(HTTP_AUTHORIZATION="Bearer 0123456789")
        return stranger

    def ours(self, text: str) -> str:
        for recorded, own in self.known.items():
            text = text.replace(recorded, own)
        return text

    def learn(self, expected: Any, found: Any, where: str) -> None:
        if isinstance(expected, dict) and isinstance(found, dict):
            for name in expected.keys() & found.keys() - FREE:
                if name == "id" and isinstance(expected[name], int):
                    self.number(where, expected[name], found[name])
                self.learn(expected[name], found[name], where)
        elif isinstance(expected, list) and isinstance(found, list):
            for one, other in zip(expected, found, strict=False):
                self.learn(one, other, where)
        elif isinstance(expected, str) and OPAQUE.fullmatch(expected) and found:
            self.known.setdefault(expected, str(found))

    def number(self, where: str, recorded: int, own: int) -> None:
        """Map a numeric id, by its resource in paths and in the fields of that name."""
        self.known[f"/{where}/{recorded}/"] = f"/{where}/{own}/"
        self.known[f'"{where}": {recorded},'] = f'"{where}": {own},'
        if where in {"ca", "cert"}:
            self.known[f"/{where}/{recorded}/crl"] = f"/{where}/{own}/crl"


def signed_in(user: User) -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=factories.bearer(user)["Authorization"])
    return client


def collection(path: str) -> str:
    """Return the resource of a path: ``/api/v1/controller/ca/2/renew/`` → ``ca``."""
    names = [part for part in path.partition("?")[0].split("/") if part.isalpha()]
    return (
        names[-2] if names[-1] in {"renew", "revoke", "group"} and len(names) > 3 else names[-1]
    )


def missing(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Yield the recorded keys that the answer lacks."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            yield path
            return
        for name, inner in expected.items():
            here = f"{path}.{name}"
            if name not in found:
                yield here
            elif name not in FREE or "backend" in (inner or {}):
                yield from missing(inner, found[name], here)
    elif isinstance(expected, list) and expected and isinstance(expected[0], dict):
        if not found:
            yield f"{path}[0]"
            return
        yield from missing(expected[0], found[0], f"{path}[0]")


@pytest.fixture
def peer(db: Any) -> Organization:
    """Create the fleet as it was before the recording, with rows for every list."""
    organization = Organization.objects.create(name="Peer Org", slug="peer-org")
    factories.user(organization, "admin", username="admin", password="admin",
              is_superuser=True, is_staff=True)  # fmt: skip
    factories.placed(factories.location(organization))
    applied(factories.device(organization, name="peer-0000012", config={}))
    factories.credentials(organization)
    factories.group(organization, meta_data={"a": "b"})
    factories.template(organization)
    factories.cert(factories.ca(organization))
    factories.openvpn(organization)
    factories.subnet(organization)
    return organization


def applied(device: Device) -> None:
    """Report the device's configuration as applied."""
    config = Config.objects.get(device=device)
    mark_applied(config, config.desired_id)
    save_progress([config])


def between(name: str, player: Player) -> None:
    """Apply what happened in the recorded fleet besides the requests."""
    if name == "cert_commonname_group":
        issued = Cert.objects.get(common_name__istartswith="00:16:3e:22:41:54-cap-224154")
        player.known["00:16:3e:22:41:54-cap-224154-RvqQqMbe"] = issued.common_name
        change = {"group": "d5bba34f-b410-4f55-8094-fb06e2ccbc4b"}
        path = "/api/v1/controller/device/e27ab280-abc3-4554-a717-d60e96f0f528/"
        player.send(
            {"name": "", "method": "PATCH", "path": path, "body": change, "status": 200}
        )
    if name == "device_detail_deactivated":
        applied(Device.objects.get(name="cap-224154"))


def test_a_recorded_session_is_played_to_its_end(peer: Organization) -> None:
    admin = User.objects.get(username="admin")
    player = Player(signed_in(admin), **{ORGANIZATION: str(peer.pk)})
    differing = []
    for recorded in RECORDING:
        between(recorded["name"], player)
        try:
            player.play(recorded)
        except AssertionError as error:
            differing.append(f"{recorded['name']}: {str(error)[:400]}")
    assert not differing, "\n".join(differing)
