"""A gateway is asked before it is added, and the reason is shown if it cannot be read."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization, User
from networks.gateways.models import Gateway
from tests.fleet.opnsense import OPNsense, opnsense

pytestmark = pytest.mark.django_db
ADD = "/admin/networks/gateway/add/"


@pytest.fixture
def device(settings: Any) -> Iterator[OPNsense]:
    settings.MUSTER_LOCAL_GATEWAYS = True
    with opnsense() as server:
        yield server


def values(organization: Organization, url: str, **more: str) -> dict[str, str]:
    return {
        "name": "Firewall", "organization": str(organization.pk), "vendor": "opnsense",
        "url": url, "key": "key-of-the-portal", "secret": "secret-of-the-portal", "approval": "risky",
    } | more  # fmt: skip


def test_a_gateway_that_answers_is_added(
    client: Client, admin: User, organization: Organization, device: OPNsense
) -> None:
    client.force_login(admin)
    approval = client.get(ADD).context["adminform"].form["approval"].value()
    page = client.post(ADD, values(organization, device.url, approval=approval))
    assert page.status_code == 302, page.context["form_errors"]
    assert Gateway.objects.get().name == "Firewall"


def test_one_that_does_not_answer_says_why_and_is_added_on_request(
    client: Client, admin: User, organization: Organization, device: OPNsense
) -> None:
    client.force_login(admin)
    approval = client.get(ADD).context["adminform"].form["approval"].value()
    sent = values(organization, "http://127.0.0.1:1", approval=approval)
    page = client.post(ADD, sent)
    assert page.status_code == 200
    assert [label for label, _ in page.context["form_errors"]] == ["Address"]
    assert not Gateway.objects.exists()
    assert client.post(ADD, sent | {"save_untested": "on"}).status_code == 302
    assert Gateway.objects.get().url == "http://127.0.0.1:1"
