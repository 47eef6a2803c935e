"""Notifications in the admin: bell, list, preferences and webhooks."""

import pytest
from django.test import Client

from controller.accounts.models import Organization, User
from controller.devices.models import Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.models import Delivery, Mute, Notification, Preference, Webhook
from controller.notifications.rules import recipients
from tests import factories

pytestmark = pytest.mark.django_db
LIST = "/admin/notifications/notification/"


@pytest.fixture
def operator(organization: Organization) -> User:
    user = factories.user(organization, "org_admin", is_staff=True)
    device = factories.device(organization, name="ap-1")
    record_observations([Observation(device.pk, Presence.State.OFFLINE)])
    recipients.dispatch_notices()
    return user


@pytest.fixture
def page(operator: User) -> Client:
    client = Client()
    client.force_login(operator)
    return client


def test_the_bell_counts_what_is_unread(page: Client) -> None:
    assert '<span class="bell-count" role="status">1</span>' in page.get(LIST).content.decode()
    assert "ap-1 is offline" in page.get(LIST, {"unread": "1"}).content.decode()
    assert page.post(f"{LIST}read/").status_code == 302
    assert '<span class="bell-count" role="status"></span>' in page.get(LIST).content.decode()


def test_opening_one_goes_to_its_device_and_reads_it(page: Client, operator: User) -> None:
    row = Notification.objects.get()
    went = page.get(f"{LIST}{row.pk}/change/")
    assert went["Location"] == f"/admin/devices/device/{row.notice.object_id}/change/"
    row.refresh_from_db()
    assert not row.unread


def test_a_device_is_muted_and_heard_again(page: Client) -> None:
    row = Notification.objects.get()
    page.post(LIST, {"action": "mute", "_selected_action": [str(row.pk)]})
    muted = Mute.objects.get()
    assert muted.object_id == row.notice.object_id
    assert "ap-1" in page.get("/admin/notifications/mute/").content.decode()
    page.post(f"/admin/notifications/mute/{muted.pk}/delete/", {"post": "yes"})
    assert not Mute.objects.exists()


def test_kinds_are_chosen_on_a_page(page: Client, organization: Organization) -> None:
    url = f"{LIST}preferences/?organization={organization.pk}"
    assert "Device offline" in page.get(url).content.decode()
    row = Preference.objects.get(organization=organization, kind="config_error")
    page.post(
        url, {f"{row.pk}.web.was": "on", f"{row.pk}.email.was": "on", f"{row.pk}.email": "on"}
    )
    row.refresh_from_db()
    assert (row.web, row.email) == (False, None)


def test_a_webhook_is_made_tested_and_its_messages_are_listed(
    page: Client, organization: Organization
) -> None:
    secret = "whsec_" + "QUJD" * 12
    given = {
        "organization": str(organization.pk), "name": "chat", "url": "https://127.0.0.1:9/",
        "kinds": ["config_error"], "is_active": "on", "secret": secret,
    }  # fmt: skip
    page.post("/admin/notifications/webhook/add/", given)
    hook = Webhook.objects.get()
    assert (hook.kinds, hook.secret) == (["config_error"], secret)
    tested = page.post(
        f"/admin/notifications/webhook/{hook.pk}/change/", given | {"notifications_webhook_save_and_test": "1"},
        follow=True,
    )  # fmt: skip
    assert "MUSTER_WEBHOOK_NETWORKS" in tested.content.decode()
    notice = Notification.objects.get().notice
    row = Delivery.objects.create(webhook=hook, notice=notice, state="failed", attempts=9)
    assert "Given up" in page.get("/admin/notifications/delivery/").content.decode()
    page.post(
        "/admin/notifications/delivery/", {"action": "retry", "_selected_action": [str(row.pk)]}
    )
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)
