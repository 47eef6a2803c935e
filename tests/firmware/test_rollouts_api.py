"""Rollouts of gateways' firmware and of Debian hosts' packages over the API."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.accounts.rules.api_keys import create_key
from controller.devices.models import Device
from controller.firmware.models import (
    FirmwarePolicy,
    FirmwareRollout,
    GatewayRollout,
    Upgrade,
)
from controller.firmware.rules import rollouts
from networks.gateways.models import Gateway
from tests import factories
from tests.firmware import fleet

pytestmark = pytest.mark.django_db
API = "/api/v1/firmware-upgrader"
Client = Callable[[User | None], APIClient]


@pytest.fixture
def client(api: Client, organization: Organization) -> APIClient:
    return api(factories.user(organization, "admin"))


def a_host(organization: Organization) -> Device:
    row = factories.device(organization, management_ip="127.0.0.1")
    factories.connection(
        row, factories.credentials(organization), port=9, update_strategy="linux-files"
    )
    return row


def a_gateway(organization: Organization, vendor: str = "opnsense") -> Gateway:
    return factories.gateway(organization, "https://127.0.0.1:9", vendor=vendor)


def test_packages_are_rolled_out_in_the_steps_of_every_rollout(
    client: APIClient, organization: Organization
) -> None:
    url = f"{API}/package-rollout/"
    given = {"organization": str(organization.pk), "packages": "security", "waves": ["100%"]}
    refused = client.post(url, given)
    assert refused.status_code == 400
    host = a_host(organization)
    made = client.post(url, given | {"may_restart": True})
    assert made.status_code == 201, made.data
    one = f"{url}{made.data['id']}/"
    assert (made.data["state"], made.data["may_restart"]) == ("draft", True)
    assert client.post(f"{one}start/").data["state"] == "running"
    shown = client.get(one).data
    assert [row["device"] for row in shown["upgrades"]] == [host.pk]
    assert client.post(f"{one}start/").status_code == 409
    assert client.post(f"{one}pause/").data["state"] == "paused"
    assert client.post(f"{one}resume/").data["state"] == "running"
    assert client.delete(one).status_code == 409
    assert client.post(f"{one}stop/").data["state"] == "stopped"
    listed = client.get(url, {"packages": "security", "state": "stopped"}).data
    assert listed["count"] == 1
    # They are no batches of OpenWISP, whose batches have a build.
    assert client.get(f"{API}/batch-upgrade-operation/").data["count"] == 0
    assert client.delete(one).status_code == 204
    assert not FirmwareRollout.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"packages": "some"}, "packages"), ({"packages": ""}, "packages"),
        ({"waves": ["50%"]}, "waves"), ({"waves": "x"}, "waves"), ({"pause": 0}, "pause"),
        ({"allowed": 101}, "allowed"), ({"window": "never"}, "window"),
        ({"organization": None}, "organization"), ({"group": "x"}, "group"),
        ({"may_restart": "perhaps"}, "may_restart"),
    ],
)  # fmt: skip
def test_wrong_values_are_named(
    client: APIClient, organization: Organization, wrong: dict[str, Any], field: str
) -> None:
    a_host(organization)
    given = {"organization": str(organization.pk), "packages": "all"} | wrong
    answer = client.post(f"{API}/package-rollout/", given, format="json")
    assert (answer.status_code, list(answer.data)) == (400, [field])
    assert not FirmwareRollout.objects.exists()


def test_a_second_person_approves_where_the_organization_asks_for_one(
    api: Client, client: APIClient, organization: Organization
) -> None:
    FirmwarePolicy.objects.create(organization=organization, needs_approval=True)
    a_host(organization)
    given = {"organization": str(organization.pk), "packages": "all"}
    made = client.post(f"{API}/package-rollout/", given).data
    one = f"{API}/package-rollout/{made['id']}/"
    assert client.post(f"{one}start/").status_code == 403
    assert client.post(f"{one}approve/").status_code == 403
    other = api(factories.user(organization, "admin"))
    assert other.post(f"{one}approve/").status_code == 200
    assert other.post(f"{one}start/").data["state"] == "running"


def test_one_host_is_updated_over_the_api(
    client: APIClient, organization: Organization
) -> None:
    host = a_host(organization)
    url = f"{API}/device/{host.pk}/package-upgrade/"
    assert client.post(url, {"packages": "some"}).status_code == 400
    answer = client.post(url, {"packages": "security"})
    assert answer.status_code == 201, answer.data
    assert (answer.data["image"], answer.data["state"]) == (None, "queued")
    assert client.post(url, {"packages": "security"}).status_code == 409
    Upgrade.objects.update(state="failed", ended=timezone.now())
    retried = client.post(f"{API}/upgrade-operation/{answer.data['id']}/retry/")
    assert retried.status_code == 201, retried.data
    router = fleet.device(organization)
    refused = client.post(f"{API}/device/{router.pk}/package-upgrade/", {"packages": "all"})
    assert (refused.status_code, "pushed over SSH" in str(refused.data)) == (400, True)


def test_gateways_are_rolled_out_over_the_api(
    client: APIClient, organization: Organization, settings: Any
) -> None:
    settings.ADAPTER_READ_ONLY = False
    row = a_gateway(organization)
    url = f"{API}/gateway-rollout/"
    given = {
        "organization": str(organization.pk), "vendor": "opnsense", "targets": [row.name],
        "waves": ["100%"],
    }  # fmt: skip
    made = client.post(url, given)
    assert made.status_code == 201, made.data
    assert made.data["targets"] == [row.name]
    one = f"{url}{made.data['id']}/"
    assert client.post(f"{one}start/").data["state"] == "running"
    shown = client.get(one).data["upgrades"]
    assert [(part["gateway"], part["state"]) for part in shown] == [(row.pk, "queued")]
    assert client.post(f"{one}pause/").data["state"] == "paused"
    assert client.post(f"{one}resume/").data["state"] == "running"
    assert client.delete(one).status_code == 409
    assert client.post(f"{one}stop/").data["state"] == "stopped"
    assert client.get(url, {"vendor": "opnsense"}).data["count"] == 1
    assert client.delete(one).status_code == 204


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"vendor": "pfsense"}, "vendor"), ({"targets": []}, "targets"),
        ({"targets": "nobody"}, "targets"), ({"targets": ["nobody"]}, "targets"),
        ({"organization": "x"}, "organization"),
    ],
)  # fmt: skip
def test_wrong_gateways_are_named(
    client: APIClient, organization: Organization, wrong: dict[str, Any], field: str
) -> None:
    row = a_gateway(organization)
    given = {"organization": str(organization.pk), "vendor": "opnsense", "targets": [row.name]}
    answer = client.post(f"{API}/gateway-rollout/", given | wrong, format="json")
    assert (answer.status_code, list(answer.data)) == (400, [field]), answer.data
    assert not GatewayRollout.objects.exists()


def test_who_may_not_change_gateways_rolls_nothing_out_to_them(
    api: Client, organization: Organization
) -> None:
    row = a_gateway(organization)
    admin = factories.user(organization, "admin")
    scopes = ["firmware:read", "firmware:upgrade"]
    client = api(None)
    client.credentials(HTTP_X_API_KEY=create_key(admin, name="narrow", scopes=scopes)[1])
    given = {"organization": str(organization.pk), "vendor": "opnsense", "targets": [row.name]}
    assert client.post(f"{API}/gateway-rollout/", given).status_code == 403
    draft = GatewayRollout.objects.create(
        organization=organization, vendor="opnsense", targets=row.name, author=admin
    )
    assert client.post(f"{API}/gateway-rollout/{draft.pk}/start/").status_code == 403
    assert client.get(f"{API}/gateway-rollout/{draft.pk}/").status_code == 200


def test_strangers_and_viewers_do_not_move_rollouts(
    api: Client, organization: Organization
) -> None:
    a_host(organization)
    row = rollouts.create_package_rollout(organization, "all")
    one = f"{API}/package-rollout/{row.pk}/"
    stranger = api(factories.user(factories.organization(), "admin"))
    assert (stranger.get(one).status_code, stranger.post(f"{one}start/").status_code) == (
        404,
        404,
    )
    assert stranger.get(f"{API}/package-rollout/").data["count"] == 0
    viewer = api(factories.user(organization, "viewer"))
    assert (viewer.get(one).status_code, viewer.post(f"{one}start/").status_code) == (200, 403)


def test_lists_take_the_same_queries_for_one_and_for_many(
    client: APIClient, organization: Organization
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    a_host(organization)
    client.get(f"{API}/package-rollout/")
    counts = []
    for _ in range(2):
        for _ in range(3):
            rollouts.create_package_rollout(organization, "all")
            GatewayRollout.objects.create(
                organization=organization, vendor="opnsense", targets="a",
                started=timezone.now() - timedelta(days=1),
            )  # fmt: skip
        for name in ("package-rollout", "gateway-rollout"):
            with CaptureQueriesContext(connection) as caught:
                assert client.get(f"{API}/{name}/").data["count"] >= 3
            counts.append(len(caught))
    assert counts[:2] == counts[2:]
