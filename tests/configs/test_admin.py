import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization, User
from controller.configs.models import Rollout, Template
from controller.configs.rules.rollouts import create_draft
from controller.devices.models import Presence
from tests import factories

LIST = "/admin/configs/template/"
HIDDEN = {"files": [
    {"path": "/etc/secret", "mode": "0600", "contents":
     "-----BEGIN PRIVATE KEY-----\nhidden-in-template\n-----END PRIVATE KEY-----\n"}
]}  # fmt: skip


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def member(organization: Organization, role: str) -> User:
    return factories.user(organization, role, is_staff=True)


def form_of(**changes: Any) -> dict[str, Any]:
    return {
        "name": "Motd",
        "organization": "",
        "type": "generic",
        "backend": "netjsonconfig.OpenWrt",
        "tags": "a, b ,a",
        "default_values": '{"word": "hello"}',
        "config": json.dumps(factories.a_file("{{ word }}\n")),
        "notes": "",
    } | changes


def test_an_operator_creates_a_template_of_their_organization(
    organization: Organization,
) -> None:
    client = signed_in(member(organization, "operator"))
    answer = client.post(f"{LIST}add/", form_of(organization=str(organization.pk)))
    assert answer.status_code == 302
    template = Template.objects.get(name="Motd")
    assert template.tags == ["a", "b"]
    assert template.default_values == {"word": "hello"}


@pytest.mark.parametrize("role", ["org_admin", "operator"])
def test_what_all_share_is_for_superusers_to_write(
    organization: Organization, role: str
) -> None:
    client = signed_in(member(organization, role))
    assert client.post(f"{LIST}add/", form_of()).status_code == 200
    shared = factories.template(None, config=HIDDEN)
    page = f"{LIST}{shared.pk}/change/"
    assert client.post(page, form_of(name="Taken over")).status_code == 403
    assert set(Template.objects.values_list("pk", flat=True)) == {shared.pk}
    shown = client.get(page).content.decode()
    assert "/etc/secret" in shown
    assert "hidden-in-template" not in shown


def test_a_template_of_others_is_not_there(organization: Organization) -> None:
    theirs = factories.template(factories.organization(), name="Of theirs", config=HIDDEN)
    client = signed_in(member(organization, "org_admin"))
    assert client.get(f"{LIST}{theirs.pk}/change/").status_code == 302
    assert "Of theirs" not in client.get(LIST).content.decode()
    assert client.post(f"{LIST}{theirs.pk}/delete/", {"post": "yes"}).status_code in {302, 404}
    assert Template.objects.filter(pk=theirs.pk).exists()


def test_deleting_says_what_it_takes_along_and_takes_it_off(
    admin: User, organization: Organization
) -> None:
    template = factories.template(organization, default=True)
    device = factories.device(organization, config={})
    client = signed_in(admin)
    asked = client.get(f"{LIST}{template.pk}/delete/").content.decode()
    assert "taken off 1 devices" in asked
    client.post(f"{LIST}{template.pk}/delete/", {"post": "yes"})
    assert not device.config.uses.exists()


def preview(client: Client, **sent: Any) -> Any:
    return client.post(f"{LIST}preview/", json.dumps(sent), content_type="application/json")


def test_a_template_is_previewed_alone_and_with_the_variables_of_a_device(
    organization: Organization,
) -> None:
    device = factories.device(organization, name="lobby", config={})
    client = signed_in(member(organization, "operator"))
    draft = {
        "backend": "netjsonconfig.OpenWrt",
        "config": factories.a_file("I am {{ name }}\n"),
    }
    alone = preview(client, **draft).json()
    assert alone["undefined"] == ["name"]
    assert preview(client, **draft, device=str(device.pk)).json()["files"][-1]["text"] == (
        "I am lobby\n"
    )
    assert preview(client, **draft, device="nonsense").json()["error"]


def test_a_preview_lends_no_variables_of_devices_elsewhere(organization: Organization) -> None:
    elsewhere = factories.organization()
    user = member(organization, "operator")
    device = factories.device(elsewhere, config={"context": {"pw": "their-word"}})
    draft = {"backend": "netjsonconfig.OpenWrt", "config": factories.a_file("{{ pw }}\n")}
    answer = preview(signed_in(user), **draft, device=str(device.pk))
    assert "their-word" not in answer.content.decode()
    elsewhere.memberships.create(user=user, role="viewer")
    answer = preview(signed_in(user), **draft, device=str(device.pk))
    assert answer.json()["error"]
    assert "their-word" not in answer.content.decode()


def test_a_viewer_previews_no_drafts(organization: Organization) -> None:
    assert preview(signed_in(member(organization, "viewer"))).status_code == 403


def test_schemas_are_kept_by_browsers_until_they_change(admin: User) -> None:
    client = signed_in(admin)
    first = client.get(f"{LIST}schema/netjsonconfig.OpenWrt.json")
    assert "interfaces" in first.json()["properties"]
    again = client.get(
        f"{LIST}schema/netjsonconfig.OpenWrt.json", headers={"If-None-Match": first["ETag"]}
    )
    assert again.status_code == 304
    assert client.get(f"{LIST}schema/nothing.json").status_code == 404


def test_the_dashboard_asks_as_often_for_many_devices_as_for_few(
    admin: User, organization: Organization
) -> None:
    client = signed_in(admin)
    counts = []
    for more in (2, 20):
        for _ in range(more):
            factories.device(organization, config={})
        Presence.objects.update(state="offline")
        client.get("/admin/")
        with CaptureQueriesContext(connection) as queries:
            shown = client.get("/admin/")
        assert "Problems" in shown.content.decode()
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 22


@pytest.mark.parametrize("role", [None, "viewer", "guest"])
def test_the_dashboard_knows_only_what_its_reader_may(
    organization: Organization, role: str | None
) -> None:
    device = factories.device(factories.organization(), name="of-theirs", config={})
    Presence.objects.filter(device=device).update(state="offline")
    if role == "guest":
        factories.device(organization, name="of-mine", config={})
    user = factories.user(organization if role else None, role or "", is_staff=True)
    shown = signed_in(user).get("/admin/").content.decode()
    assert "of-theirs" not in shown
    assert ("Configurations" in shown) is False
    assert ("You are in no organization" in shown) is (role is None)
    assert ("No devices yet" in shown) is (role == "viewer")


def test_links_lead_only_where_their_reader_may_go(organization: Organization) -> None:
    shown = signed_in(member(organization, "guest")).get("/admin/").content.decode()
    assert "/admin/devices/device/" in shown
    for elsewhere in ("accounts/user/", "configs/template/", "connections/credentials/"):
        assert f'href="/admin/{elsewhere}"' not in shown


ROLLOUTS = "/admin/configs/rollout/"


def in_waves(client: Client, template: Template, **changes: Any) -> Any:
    form = form_of(
        name=template.name,
        organization=str(template.organization_id or ""),
        tags="",
        default_values="{}",
        config=json.dumps(factories.a_file("new\n")),
        **changes,
    )
    return client.post(f"{LIST}{template.pk}/change/", form | {"_in_waves": "1"})


def test_a_change_in_waves_is_a_draft_first_and_started_by_a_button(
    organization: Organization,
) -> None:
    template = factories.template(organization, name="Base", config=factories.a_file("old\n"))
    factories.device(organization, name="ap-1", config={"templates": [template]})
    client = signed_in(member(organization, "operator"))
    answer = in_waves(client, template)
    draft = Rollout.objects.get()
    assert answer["Location"] == f"{ROLLOUTS}{draft.pk}/change/"
    template.refresh_from_db()
    assert template.config == factories.a_file("old\n")
    page = f"{ROLLOUTS}{draft.pk}/"
    form = {"waves": "1, 50%, 100%", "pause": "30", "allowed": "5"}
    assert client.post(f"{page}change/", form).status_code == 302
    draft.refresh_from_db()
    assert (draft.waves, draft.pause) == (["1", "50%", "100%"], 30)
    wrong = client.post(f"{page}change/", form | {"waves": "1, x, 100%"})
    assert "is no wave" in wrong.content.decode()
    assert client.get(f"{page}move/").status_code == 405
    client.post(f"{page}move/", {"verb": "start"})
    shown = client.get(f"{page}progress/").content.decode()
    assert "Running" in shown
    assert client.post(f"{page}change/", form).status_code == 403
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 403
    again = client.post(f"{page}move/", {"verb": "start"}, follow=True).content.decode()
    assert "It has been started before." in again
    client.post(f"{page}move/", {"verb": "roll-back"})
    draft.refresh_from_db()
    assert draft.state == "rolled_back"
    assert client.post(f"{page}delete/", {"post": "yes"}).status_code == 302
    assert not Rollout.objects.exists()


def test_only_the_configuration_goes_out_in_waves(organization: Organization) -> None:
    template = factories.template(organization, name="Base")
    client = signed_in(member(organization, "operator"))
    answer = in_waves(client, template, notes="changed")
    assert "Save this by itself first: notes." in answer.content.decode()
    assert not Rollout.objects.exists()


def test_rollouts_of_others_are_not_there_and_viewers_only_look(
    organization: Organization,
) -> None:
    theirs = create_draft(
        factories.template(factories.organization(), name="Of theirs"), pause=5
    )
    mine = create_draft(factories.template(organization, name="Of mine"), pause=5)
    client = signed_in(member(organization, "viewer"))
    shown = client.get(ROLLOUTS).content.decode()
    assert "Of mine" in shown
    assert "Of theirs" not in shown
    assert "Start with" not in client.get(f"{ROLLOUTS}{mine.pk}/change/").content.decode()
    start = {"verb": "start"}
    assert client.post(f"{ROLLOUTS}{mine.pk}/move/", start).status_code == 403
    assert client.post(f"{ROLLOUTS}{theirs.pk}/move/", start).status_code == 404
    assert client.get(f"{ROLLOUTS}{theirs.pk}/progress/").status_code == 404
