"""For each lease queue of the portal: a new row that waits, and how a row of it ends."""

from collections.abc import Callable
from itertools import count
from typing import Any

from controller.base.leases import Leased
from controller.configs.models import Config, Push
from controller.notifications.models import Delivery, Notice, Notification, Webhook
from tests import factories

numbers = count(1)


def notice() -> Notice:
    number = next(numbers)
    return Notice.objects.create(
        organization=factories.organization(f"leases {number}"), kind="config_error", family="config",
        permission="device:read", object_type="device", object_id=str(number),
        object_name="ap", text="It failed",
    )  # fmt: skip


def delivery() -> Delivery:
    told = notice()
    hook = Webhook.objects.create(
        organization=told.organization, name="hook", url="https://hooks.example.org/"
    )
    return Delivery.objects.create(webhook=hook, notice=told)


def email() -> Notification:
    user = factories.user()
    return Notification.objects.create(notice=notice(), recipient=user, wants_email=True)


def push() -> Push:
    device = factories.device(factories.organization())
    return Push.objects.create(config=Config.objects.create(device=device))


NEW: dict[str, Callable[[], Leased]] = {"deliveries": delivery, "emails": email, "pushes": push}
ENDINGS: dict[str, dict[str, Any]] = {
    "deliveries": {"state": Delivery.State.DONE},
    "emails": {"emailed": True},
    "pushes": {"state": Push.State.APPLIED},
}


def new_row(name: str) -> Leased:
    return NEW[name]()
