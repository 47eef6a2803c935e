import socketserver
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.accounts.rules import sites
from controller.configs.models import Config
from controller.configs.rules.agent_cache import publish_status
from controller.devices.models import Device, Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.models import Notice, Notification
from controller.notifications.rules import email, mutes, preferences, recipients
from pki.rules.expiry import tell_expiring
from tests import factories

pytestmark = pytest.mark.django_db
OFFLINE, ONLINE = "connection_is_not_working", "connection_is_working"


def seen(device: Device, state: str, reason: str = "") -> None:
    record_observations([Observation(device.pk, state, reason)])


def told(user: User) -> list[str]:
    recipients.dispatch_notices()
    rows = Notification.objects.filter(recipient=user).order_by("created")
    return [row.notice.kind for row in rows]


@pytest.fixture
def device(organization: Organization) -> Device:
    return factories.device(organization, name="ap-1")


@pytest.fixture
def operator(organization: Organization) -> User:
    return factories.user(organization, "operator")


def test_a_device_that_goes_and_comes_back_is_told_to_those_who_look_after_it(
    device: Device, operator: User
) -> None:
    viewer = factories.user(device.organization, "viewer")
    stranger = factories.user(factories.organization(), "org_admin")
    seen(device, Presence.State.ONLINE)
    assert told(operator) == []
    seen(device, Presence.State.OFFLINE, "no answer")
    seen(device, Presence.State.ONLINE)
    assert told(operator) == [OFFLINE, ONLINE]
    assert told(viewer) == told(stranger) == []
    assert Notice.objects.get(kind=OFFLINE).text == "ap-1 is offline: no answer"


def test_many_devices_cost_as_many_queries_as_one(
    organization: Organization, django_assert_max_num_queries: Any
) -> None:
    factories.user(organization, "operator")
    devices = [factories.device(organization) for _ in range(30)]
    record_observations([Observation(one.pk, Presence.State.ONLINE) for one in devices])
    with django_assert_max_num_queries(12):
        record_observations([Observation(one.pk, Presence.State.OFFLINE) for one in devices])
    with django_assert_max_num_queries(25):
        assert recipients.dispatch_notices() == 30


def test_the_same_error_is_told_once_until_it_was_well(
    organization: Organization, operator: User
) -> None:
    device = factories.device(organization, config={"config": factories.a_file("x")})
    config = device.config

    def now(status: str, reason: str = "") -> None:
        what = {"failed": config.desired_id} if status == "error" else {"failed": None}
        Config.objects.filter(pk=config.pk).update(
            applied=config.desired_id, error_reason=reason, **what
        )
        publish_status([config.pk])

    now("error", "no space")
    now("error", "no space")
    assert told(operator) == ["config_error"]
    now("applied")
    now("applied")
    now("error", "no space")
    assert told(operator) == ["config_error", "config_applied", "config_error"]


def test_a_certificate_is_told_of_as_its_end_comes_nearer(organization: Organization) -> None:
    manager = factories.user(organization, "org_admin")
    cert = factories.cert(
        factories.ca(organization), validity_end=timezone.now() + timedelta(days=20)
    )
    tell_expiring()
    tell_expiring()
    assert told(manager) == ["certificate_expiring"]
    assert "within 30 days" in Notice.objects.get().text
    cert.validity_end = timezone.now() + timedelta(days=5)
    cert.save()
    tell_expiring()
    assert len(told(manager)) == 2


def test_who_has_no_grant_for_the_site_is_not_told(organization: Organization) -> None:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    here, elsewhere = (factories.user(organization, "site_admin") for _ in range(2))
    sites.grant(here.memberships.get(), site, "full", by=factories.superuser())
    device = factories.device(organization, site=site)
    seen(device, Presence.State.OFFLINE)
    assert told(here) == [OFFLINE]
    assert told(elsewhere) == []


def test_what_was_muted_is_not_told(device: Device, operator: User) -> None:
    mutes.mute(operator, device)
    seen(device, Presence.State.OFFLINE)
    assert told(operator) == []


def test_what_was_muted_until_yesterday_is_told(device: Device, operator: User) -> None:
    mutes.mute(operator, device, until=timezone.now() - timedelta(days=1))
    seen(device, Presence.State.OFFLINE)
    assert told(operator) == [OFFLINE]


def test_a_kind_is_muted_in_one_organization_or_everywhere(
    device: Device, operator: User
) -> None:
    rows = preferences.preferences_of(operator)
    preferences.set_preference(
        rows.get(kind=OFFLINE, organization=device.organization), web=False
    )
    seen(device, Presence.State.OFFLINE)
    seen(device, Presence.State.ONLINE)
    assert told(operator) == [ONLINE]
    preferences.set_preference(rows.get(organization=None), web=False)
    seen(device, Presence.State.OFFLINE)
    seen(device, Presence.State.ONLINE)
    assert told(operator) == [ONLINE]


def test_an_organization_settles_it_for_those_who_did_not_choose(
    device: Device, operator: User
) -> None:
    preferences.set_defaults(preferences.settings_of(device.organization), web=False)
    seen(device, Presence.State.OFFLINE)
    assert told(operator) == []


def test_one_email_tells_all_that_has_come_together(
    organization: Organization, operator: User, settings: Any
) -> None:
    settings.MUSTER_NOTIFY_BY_EMAIL = True
    devices = [factories.device(organization, name=f"ap-{number}") for number in range(3)]
    record_observations([Observation(one.pk, Presence.State.OFFLINE) for one in devices])
    recipients.dispatch_notices()
    assert email.mail() == 1
    assert email.mail() == 0
    (message,) = mail.outbox
    assert message.to == [operator.email]
    assert message.subject.startswith("[Muster] 3 notifications")
    assert all(f"ap-{number} is offline" in message.body for number in range(3))


def test_an_email_that_could_not_be_sent_is_sent_later(
    device: Device, operator: User, settings: Any
) -> None:
    settings.MUSTER_NOTIFY_BY_EMAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1
    seen(device, Presence.State.OFFLINE)
    recipients.dispatch_notices()
    assert email.mail() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert email.mail() == 1


def test_without_a_mail_server_nobody_waits_for_email(device: Device, operator: User) -> None:
    seen(device, Presence.State.OFFLINE)
    recipients.dispatch_notices()
    assert not Notification.objects.filter(wants_email=True).exists()


def test_old_notices_are_forgotten(device: Device, operator: User) -> None:
    seen(device, Presence.State.OFFLINE)
    seen(device, Presence.State.ONLINE)
    recipients.dispatch_notices()
    Notice.objects.update(created=timezone.now() - timedelta(days=100))
    recipients.prune()
    # The notice of the current state is kept.
    assert [one.kind for one in Notice.objects.all()] == [ONLINE]


class Refusing(socketserver.StreamRequestHandler):
    """A mail server that takes nothing."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            is_recipient = line.upper().startswith(b"RCPT")
            self.wfile.write(b"450 later\r\n" if is_recipient else b"250 OK\r\n")


@pytest.mark.parametrize(("attempts", "waits"), [(48, True), (49, False)])
def test_an_email_is_given_up_after_fifty_attempts(
    attempts: int, waits: bool, device: Device, operator: User, settings: Any
) -> None:
    settings.MUSTER_NOTIFY_BY_EMAIL = True
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    seen(device, Presence.State.OFFLINE)
    recipients.dispatch_notices()
    Notification.objects.update(attempts=attempts)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        settings.EMAIL_HOST, settings.EMAIL_PORT = server.server_address
        assert email.mail() == 0
        server.shutdown()
    row = Notification.objects.get(recipient=operator)
    assert (row.attempts, row.wants_email, row.emailed) == (attempts + 1, waits, False)


def test_the_event_of_a_new_notification_is_for_its_recipient_alone(operator: User) -> None:
    event = recipients.publish_unread(operator.pk)
    assert event.recipients == {operator.pk}
    assert not event.has_site
