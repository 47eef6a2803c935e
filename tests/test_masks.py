"""A mask stands for what is stored: who may not read a secret can change what is around it."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules.api_keys import create_key
from controller.base.masking import MASK, unmasked
from controller.configs.models import Config
from tests import factories

pytestmark = pytest.mark.django_db
Api = Callable[[User | None], APIClient]
WIFI = {
    "interfaces": [
        {"name": name, "type": "wireless", "wireless": {
            "radio": "radio0", "mode": "access_point", "ssid": name,
            "encryption": {"protocol": "wpa2_personal", "key": f"secret of {name}"},
        }}
        for name in ("wlan0", "wlan1")
    ],
    "files": [{
        "path": "/etc/config/more", "mode": "0600",
        "contents": "config x 'x'\n\toption password 'of a file'\n\toption name 'y'\n",
    }],
}  # fmt: skip


@pytest.fixture
def narrowed(organization: Organization) -> APIClient:
    """A program that may read and change, and may not read secrets."""
    owner = factories.user(organization, "org_admin")
    scopes = ["*:read", "*:update"]
    client = APIClient()
    client.credentials(HTTP_X_API_KEY=create_key(owner, name="narrow", scopes=scopes)[1])
    return client


def test_a_device_is_read_changed_and_written_back_without_its_secrets(
    narrowed: APIClient, organization: Organization
) -> None:
    device = factories.device(
        organization, config={"config": WIFI, "context": {"wifi_password": "x9", "floor": "2"}}
    )
    path = f"/api/v1/controller/device/{device.pk}/"
    shown = narrowed.get(path).json()
    assert shown["key"] is None
    assert shown["config"]["context"] == {"wifi_password": MASK, "floor": "2"}
    assert "secret of" not in str(shown)
    assert "of a file" not in str(shown)
    shown["config"]["context"]["floor"] = "3"
    shown["config"]["config"]["interfaces"].reverse()
    answer = narrowed.put(path, shown, format="json")
    assert answer.status_code == 200, answer.json()
    assert "secret of" not in str(answer.json())
    device.refresh_from_db()
    stored = Config.objects.get(device=device)
    assert stored.context == {"wifi_password": "x9", "floor": "3"}
    assert [one["name"] for one in stored.config["interfaces"]] == ["wlan1", "wlan0"]
    for one in stored.config["interfaces"]:
        assert one["wireless"]["encryption"]["key"] == f"secret of {one['name']}"
    assert stored.config["files"] == WIFI["files"]
    assert device.key


def test_templates_groups_and_servers_keep_their_secrets_too(
    narrowed: APIClient, organization: Organization
) -> None:
    template = factories.template(organization, config=WIFI, default_values={"psk": "x1"})
    group = factories.group(organization, context={"psk": "x2"}, meta_data={"token": "x3"})
    server = factories.wireguard(organization, auth_token="x4")
    key = server.key
    for kind, row in (("template", template), ("group", group), ("vpn", server)):
        path = f"/api/v1/controller/{kind}/{row.pk}/"
        shown = narrowed.get(path).json()
        assert not {"x1", "x2", "x3", "x4", key} & set(map(str, flat(shown)))
        answer = narrowed.put(path, shown | {"name": f"another {kind}"}, format="json")
        assert answer.status_code == 200, answer.json()
        row.refresh_from_db()
    assert template.config == WIFI
    assert (template.name, template.default_values) == ("another template", {"psk": "x1"})
    assert (group.context, group.meta_data) == ({"psk": "x2"}, {"token": "x3"})
    assert (server.key, server.auth_token) == (key, "x4")


def flat(data: Any) -> list[Any]:
    if isinstance(data, dict):
        return [one for value in data.values() for one in flat(value)]
    return [one for value in data for one in flat(value)] if isinstance(data, list) else [data]


def test_a_mask_with_nothing_stored_behind_it_is_refused(
    api: Api, admin: User, organization: Organization
) -> None:
    answer = api(admin).post(
        "/api/v1/controller/template/",
        {"name": "new", "organization": str(organization.pk), "backend": "netjsonconfig.OpenWrt",
         "config": factories.a_file("x"), "default_values": {"psk": MASK}},
        format="json",
    )  # fmt: skip
    assert answer.status_code == 400
    assert "default_values" in answer.json()


def test_the_form_of_who_may_not_read_secrets_is_masked_and_keeps_them(
    client: Client, organization: Organization
) -> None:
    viewer = factories.user(organization, "viewer", is_staff=True)
    allowed = Group.objects.create(name="template writers")
    allowed.permissions.set(Permission.objects.filter(codename="change_template"))
    viewer.groups.add(allowed)
    template = factories.template(
        organization, config=WIFI, default_values={"psk": "x1", "a": "1"}
    )
    client.force_login(viewer)
    path = f"/admin/configs/template/{template.pk}/change/"
    page = client.get(path)
    assert b"secret of" not in page.content
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields}
    values = {name: value for name, value in values.items() if value not in {None, False}}
    answer = client.post(path, values | {"notes": "changed"})
    assert answer.status_code == 302
    template.refresh_from_db()
    assert template.notes == "changed"
    assert (template.config, template.default_values) == (WIFI, {"psk": "x1", "a": "1"})


def test_the_archive_of_a_device_is_for_those_who_may_read_its_secrets(
    api: Api, organization: Organization
) -> None:
    device = factories.device(organization, config={"config": WIFI})
    path = f"/api/v1/controller/device/{device.pk}/configuration/"
    found = {
        role: api(factories.user(organization, role)).get(path).status_code
        for role in ("guest", "viewer", "operator", "org_admin")
    }
    assert found == {"guest": 403, "viewer": 403, "operator": 200, "org_admin": 200}


def test_a_guest_sees_the_device_and_nothing_of_its_configuration(
    api: Api, organization: Organization
) -> None:
    device = factories.device(organization, config={"config": WIFI, "context": {"floor": "2"}})
    shown = api(factories.user(organization, "guest")).get(
        f"/api/v1/controller/device/{device.pk}/"
    )
    assert shown.json()["name"] == device.name
    assert (shown.json()["config"]["config"], shown.json()["config"]["context"]) == (None, None)


def test_the_archive_of_a_template_is_masked_for_a_viewer(
    api: Api, organization: Organization
) -> None:
    template = factories.template(
        organization,
        config=WIFI | factories.a_file("it says {{ psk }}\n"),
        default_values={"psk": "in the default"},
    )
    path = f"/api/v1/controller/template/{template.pk}/configuration/"
    for role, is_open in (("viewer", False), ("operator", True)):
        answer = api(factories.user(organization, role)).get(path)
        with tarfile.open(fileobj=io.BytesIO(answer.content)) as archive:
            text = "".join(
                archive.extractfile(one).read().decode()  # type: ignore[union-attr]
                for one in archive.getmembers()
            )
        assert ("secret of wlan0" in text) is is_open
        assert ("in the default" in text) is is_open
        assert "option ssid 'wlan0'" in text


def test_masked_private_keys_inside_a_text_come_back() -> None:
    keys = [
        f"-----BEGIN PRIVATE KEY-----\n{one}\n-----END PRIVATE KEY-----" for one in ("ab", "cd")
    ]
    stored = "\n".join(["name=x", *keys, "token=t1", "token=t2"])
    sent = "\n".join([
        "name=y",
        *(f"-----BEGIN PRIVATE KEY-----\n{MASK}\n-----END PRIVATE KEY-----" for _ in keys),
        f"token={MASK}", f"token={MASK}",
    ])  # fmt: skip
    assert unmasked(sent, stored) == stored.replace("name=x", "name=y")
