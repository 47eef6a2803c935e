"""Every operation of tests/contract/firmware.json answers as the file says."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.firmware.models import Build, Image, Upgrade
from controller.firmware.rules import rollouts
from controller.firmware.rules.upgrades import assign_image
from tests import factories
from tests.firmware import fleet
from tests.firmware.images import image as image_bytes
from tests.firmware.images import metadata

pytestmark = pytest.mark.django_db
CONTRACT = json.loads(
    (Path(__file__).parents[1] / "contract/firmware.json").read_text(encoding="utf-8")
)
HTTP = [one for one in CONTRACT if one["method"] != "WS"]
PREFIX = "/api/v1/firmware-upgrader"
OTHER = str(uuid4())
SHAPES: Mapping[str, Callable[[Any], bool]] = {
    "uuid": lambda value: bool(UUID(str(value))),
    "datetime": lambda value: parse_datetime(str(value)) is not None,
    "int": lambda value: isinstance(value, int),
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "url": lambda value: str(value).startswith("http"),
    "absolute": lambda value: str(value).startswith("http"),
}


def name_of(operation: dict[str, Any]) -> str:
    return f"{operation['method']} {operation['path'].removeprefix(PREFIX)}"


class Scene:
    """Rows of one organization, and somebody who may do everything there."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.build: Build = fleet.build(organization)
        self.image: Image = fleet.add_image(self.build)
        self.other = fleet.add_image(fleet.build(organization, "25"))
        self.device = fleet.device(organization)
        assign_image(self.device, self.image)
        self.upgrade = Upgrade.objects.get()
        self.rollout = rollouts.create_rollout(self.build, upgrade_all=True)

    def path(self, operation: dict[str, Any], *, known: bool = True) -> str:
        """Return the path with the ids of rows, or with ids of nothing."""
        kind = operation["path"].removeprefix(PREFIX).split("/")[1]
        own = {
            "category": self.build.category_id, "build": self.build.pk,
            "batch-upgrade-operation": self.rollout.pk, "upgrade-operation": self.upgrade.pk,
        }  # fmt: skip
        ids = {
            "build_id": self.build.pk, "device_id": self.device.pk,
            "file_name": self.image.name, "id": own.get(kind),
        }  # fmt: skip
        if "/image/{id}" in operation["path"]:
            ids["id"] = self.image.pk
        if not known:
            ids = dict.fromkeys(ids, OTHER) | {"file_name": "none.bin"}
        return str(re.sub(r"\{(\w+)\}", lambda found: str(ids[found[1]]), operation["path"]))

    def body(self, operation: dict[str, Any]) -> dict[str, Any]:
        owner = str(self.organization.pk)
        bodies: dict[str, dict[str, Any]] = {
            "POST /category/": {"name": "new", "description": "x", "organization": owner},
            "PUT /category/{id}/": {"name": "new", "description": "", "organization": owner},
            "PATCH /category/{id}/": {"name": "newer"},
            "POST /build/": {
                "category": str(self.build.category_id), "version": "26", "os": "OS 26",
                "changelog": "x",
            },
            "PUT /build/{id}/": {
                "category": str(self.build.category_id), "version": "27", "os": None,
                "changelog": "",
            },
            "PATCH /build/{id}/": {"changelog": "longer"},
            "POST /build/{id}/upgrade/": {"upgrade_all": True, "group": None, "location": None},
            "PUT /device/{device_id}/firmware/": {"image": str(self.other.pk)},
            "PATCH /device/{device_id}/firmware/": {"image": str(self.other.pk)},
        }  # fmt: skip
        return bodies.get(name_of(operation), {})

    def prepare(self, operation: dict[str, Any]) -> None:
        """End what is under way where the operation would be refused because of it."""
        wants_rest = operation["method"] == "DELETE" or "/firmware/" in operation["path"]
        if wants_rest or operation["path"].endswith("/upgrade/"):
            Upgrade.objects.update(state="failed", ended=timezone.now())

    def call(self, client: APIClient, operation: dict[str, Any], url: str) -> Any:
        method = operation["method"].lower()
        if name_of(operation) == "POST /build/{build_id}/image/":
            data = image_bytes(metadata("example,new"))
            file = SimpleUploadedFile("openwrt-24-new-sysupgrade.bin", data)
            return client.post(url, {"file": file, "type": ""}, format="multipart")
        if method == "get":
            return client.get(url)
        return getattr(client, method)(url, self.body(operation), format="json")


@pytest.fixture
def scene(organization: Organization) -> Scene:
    return Scene(organization)


@pytest.fixture
def client(api: Callable[[User | None], APIClient], organization: Organization) -> APIClient:
    person = factories.user(organization, "admin", is_staff=True)
    made = api(person)
    # The storage's own URL takes sessions alone.
    made.force_login(person)
    return made


def check(said: Any, found: Any, at: str) -> None:
    """Compare an answer with what the contract says of it; further keys are ours."""
    if isinstance(said, dict):
        assert isinstance(found, dict), at
        assert set(said) <= set(found), (at, set(said) - set(found))
        for key, value in said.items():
            check(value, found[key], f"{at}.{key}")
    elif isinstance(said, list):
        assert isinstance(found, list), at
        for one in found:
            check(said[0], one, f"{at}[]")
    elif found is None:
        assert "null" in said, (at, said)
    else:
        check_text(said, found, at)


def check_text(said: str, found: Any, at: str) -> None:
    if said.startswith("'"):
        assert found == said.strip("'"), at
        return
    words = re.match(r"[a-z]+", said)
    shape = SHAPES.get(words[0]) if words else None
    if shape is not None:
        assert shape(found), (at, said, found)
    else:
        assert found in said.split("|"), (at, said, found)


def successes(operation: dict[str, Any]) -> set[int]:
    return {int(one) for one in operation["statuses"] if one.startswith("2")}


@pytest.mark.parametrize("operation", HTTP, ids=name_of)
def test_it_answers_in_its_shape(
    operation: dict[str, Any], scene: Scene, client: APIClient
) -> None:
    scene.prepare(operation)
    answer = scene.call(client, operation, scene.path(operation))
    assert answer.status_code in successes(operation), getattr(answer, "data", answer)
    said = operation["response_fields"]
    if isinstance(said, str):
        assert b"".join(answer.streaming_content) == scene.image.path.read_bytes()
    elif said:
        check(said, json.loads(answer.content), name_of(operation))
    else:
        assert not answer.content


@pytest.mark.parametrize("operation", HTTP, ids=name_of)
def test_strangers_and_unknown_rows_get_what_it_says(
    operation: dict[str, Any], scene: Scene, client: APIClient
) -> None:
    stranger = scene.call(APIClient(), operation, scene.path(operation))
    assert stranger.status_code == 401
    if "{" not in operation["path"]:
        return
    answer = scene.call(client, operation, scene.path(operation, known=False))
    assert answer.status_code == 404
    said = operation["statuses"].get("404", "")
    if found := re.search(r"\{(detail|error)(?:: '(.+?)')?\}", said):
        shown = json.loads(answer.content)
        assert found[1] in shown, shown
        assert found[2] is None or found[2].lower() in str(shown[found[1]]).lower()


@pytest.mark.parametrize("operation", [one for one in HTTP if one["query_params"]], ids=name_of)
def test_its_parameters_are_known(
    operation: dict[str, Any], scene: Scene, client: APIClient
) -> None:
    values = {
        "page": 1, "page_size": 5, "organization": scene.organization.slug,
        "device__organization": scene.organization.pk, "image": scene.image.pk,
        "device__organization__slug": scene.organization.slug, "device": scene.device.pk,
        "category": scene.build.category_id, "build": scene.build.pk, "version": "24.10.2",
        "type": scene.image.type, "status": "in-progress", "ordering": "-created",
    }  # fmt: skip
    url = scene.path(operation)
    for name in set(operation["query_params"]) & set(values):
        answer = client.get(url, {name: values[name]})
        assert answer.status_code == 200, (name, answer.content)
    if "status" in operation["query_params"]:
        assert client.get(url, {"status": "sleeping"}).status_code == 400
    if "page_size" in operation["query_params"]:
        assert client.get(url, {"page_size": 1}).status_code == 200


def test_images_never_change(scene: Scene, client: APIClient) -> None:
    url = f"{PREFIX}/build/{scene.build.pk}/image/{scene.image.pk}/"
    assert client.put(url, {}).status_code == 405
    assert client.patch(url, {}).status_code == 405
