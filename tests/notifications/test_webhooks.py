import base64
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base.errors import Refused, Unreachable
from controller.devices.models import Presence
from controller.devices.rules import Observation, record_observations
from controller.notifications.drivers.webhook import check_scheme
from controller.notifications.models import Delivery, Webhook
from controller.notifications.rules import recipients, webhooks
from tests import factories

pytestmark = pytest.mark.django_db


class Receiver:
    """A webhook receiver, as its author would write it."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.heard.append((dict(self.headers), body))
                self.send_response(receiver.status)
                if receiver.status == 302:
                    self.send_header("Location", receiver.url + "elsewhere")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def hook(organization: Organization, receiver: Receiver, settings: Any) -> Webhook:
    settings.MUSTER_WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    return webhooks.create_webhook(organization=organization, name="hook", url=receiver.url)


def happen(organization: Organization) -> None:
    record_observations(
        [Observation(factories.device(organization, name="ap-1").pk, Presence.State.OFFLINE)]
    )
    recipients.dispatch_notices()


def overdue() -> None:
    Delivery.objects.update(not_before=timezone.now() - timedelta(seconds=1))


def test_a_message_is_signed_so_that_its_receiver_can_check_it(
    hook: Webhook, receiver: Receiver
) -> None:
    happen(hook.organization)
    assert webhooks.deliver() == 1
    ((headers, body),) = receiver.heard
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(hook.secret.removeprefix("whsec_"))
    made = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
    message = json.loads(body)
    assert message["type"] == "connection_is_not_working"
    assert message["message"] == "ap-1 is offline"
    assert message["organization"]["slug"] == hook.organization.slug
    assert webhooks.deliver() == 0


def test_only_the_kinds_and_the_organization_that_it_is_for(
    hook: Webhook, receiver: Receiver
) -> None:
    webhooks.update_webhook(hook, kinds=["config_error"])
    happen(hook.organization)
    happen(factories.organization())
    assert not Delivery.objects.exists()


def test_a_failure_is_tried_again_later_and_then_given_up(
    hook: Webhook, receiver: Receiver
) -> None:
    receiver.status = 503
    happen(hook.organization)
    pauses = []
    for _ in range(9):
        assert webhooks.deliver() == 0
        row = Delivery.objects.get()
        pauses.append((row.not_before - timezone.now()).total_seconds())
        assert webhooks.deliver() == 0  # not due yet
        overdue()
    assert row.state == Delivery.State.FAILED
    assert (row.attempts, row.answer) == (9, "status 503")
    assert pauses[:-1] == sorted(pauses[:-1])
    hook.refresh_from_db()
    assert (hook.failures, hook.is_active, hook.trouble) == (9, True, "status 503")
    receiver.status = 204
    webhooks.retry(row)
    assert webhooks.deliver() == 1
    hook.refresh_from_db()
    assert (hook.failures, hook.trouble) == (0, "")


def test_one_that_fails_for_a_day_is_switched_off(hook: Webhook, receiver: Receiver) -> None:
    receiver.status = 500
    Webhook.objects.update(failures=19, created=timezone.now() - timedelta(days=2))
    happen(hook.organization)
    webhooks.deliver()
    hook.refresh_from_db()
    assert not hook.is_active
    assert "Switched off" in hook.trouble
    happened = len(receiver.heard)
    overdue()
    assert webhooks.deliver() == 0
    assert len(receiver.heard) == happened
    webhooks.update_webhook(hook, is_active=True)
    assert (hook.failures, hook.trouble) == (0, "")


def test_one_that_is_gone_is_switched_off_at_once(hook: Webhook, receiver: Receiver) -> None:
    receiver.status = 410
    happen(hook.organization)
    webhooks.deliver()
    assert not Webhook.objects.get().is_active


def test_redirects_are_not_followed(hook: Webhook, receiver: Receiver) -> None:
    receiver.status = 302
    happen(hook.organization)
    assert webhooks.deliver() == 0
    assert len(receiver.heard) == 1


def test_what_the_settings_name_may_be_sent_to_without_tls(settings: Any) -> None:
    settings.MUSTER_WEBHOOK_NETWORKS = ["10.0.0.0/8"]
    check_scheme("http://10.1.2.3/")
    check_scheme("https://93.184.216.34/")
    with pytest.raises(Unreachable, match="https"):
        check_scheme("http://93.184.216.34/")
    with pytest.raises(Unreachable, match="MUSTER_WEBHOOK_NETWORKS"):
        check_scheme("http://192.168.1.1/")


def test_a_test_message_tells_what_came_of_it(hook: Webhook, receiver: Receiver) -> None:
    assert webhooks.test(hook) == "It answered with status 200."
    assert json.loads(receiver.heard[0][1])["type"] == "test"


def test_an_address_with_a_password_is_refused(organization: Organization) -> None:
    with pytest.raises(Refused):
        webhooks.create_webhook(
            organization=organization, name="x", url="https://me:secret@example.org/"
        )


@pytest.mark.parametrize(
    ("failures", "hours", "is_active"), [(18, 48, True), (19, 23, True), (19, 25, False)]
)
def test_it_takes_twenty_failures_and_a_day_without_success(
    failures: int, hours: int, is_active: bool, hook: Webhook, receiver: Receiver
) -> None:
    receiver.status = 500
    since = timezone.now() - timedelta(hours=hours)
    Webhook.objects.update(failures=failures, last_success=since)
    happen(hook.organization)
    webhooks.deliver()
    hook.refresh_from_db()
    assert (hook.failures, hook.is_active) == (failures + 1, is_active)
