"""Firmware of vendors' gateways in waves, as staged changes of stand-ins that check each call."""

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Conflict, Refused
from controller.firmware.engine.vendors import VENDORS
from controller.firmware.models import GatewayRollout, GatewayUpgrade
from controller.firmware.rules import gateway_rollouts, retention
from networks.gateways.models import Change, Gateway
from networks.gateways.rules.approvals import approve
from tests import factories
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS as STAND_INS
from tests.networks.applying import work_off

pytestmark = pytest.mark.django_db(transaction=True)
Of = GatewayUpgrade.State
MACS = {"unifi": "02:00:00:00:00:01", "omada": "02-00-00-00-00-01"}


@pytest.fixture(autouse=True)
def _writes(settings: Any) -> None:
    """Allow writes to gateways on loopback, and wait for as long as a busy machine needs."""
    settings.ADAPTER_READ_ONLY = False
    settings.MUSTER_LOCAL_GATEWAYS = True
    settings.MUSTER_GATEWAY_SECONDS = 20
    settings.MUSTER_GATEWAY_EFFECT_SECONDS = 0.01


@pytest.fixture
def author(organization: Organization) -> User:
    return factories.user(organization, "admin", is_staff=True)


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def gateways(
    organization: Organization, ends: ExitStack, vendor: str, count: int = 1
) -> tuple[Any, list[Gateway]]:
    device = ends.enter_context(serving(STAND_INS[vendor]()))
    rows = [
        factories.gateway(
            organization, device.url, vendor=vendor, key=device.key, secret=device.secret
        )
        for _ in range(count)
    ]
    return device, rows


def started(author: User, rows: list[Gateway], mac: str = "", **values: Any) -> GatewayRollout:
    draft = gateway_rollouts.create(
        author=author, organization=rows[0].organization, vendor=rows[0].vendor,
        targets="\n".join(f"{row.name} {mac}" for row in rows), **values,
    )  # fmt: skip
    return gateway_rollouts.start(draft)


def answered(rows: list[Gateway]) -> None:
    """Have the gateways polled after their restart."""
    Gateway.objects.filter(pk__in=[row.pk for row in rows]).update(
        last_seen=timezone.now(), trouble="", version="26.1"
    )


def states(rollout: GatewayRollout) -> list[str]:
    return list(rollout.upgrades.values_list("state", flat=True))


@pytest.mark.parametrize("vendor", VENDORS)
def test_each_vendor_takes_its_call_and_is_followed_until_it_answers_again(
    organization: Organization, author: User, ends: ExitStack, vendor: str
) -> None:
    device, rows = gateways(organization, ends, vendor)
    rollout = started(author, rows, MACS.get(vendor, ""))
    assert states(rollout) == [Of.QUEUED]
    work_off()
    change = Change.objects.get()
    assert (change.state, change.what.catastrophic) == ("applied", True), change.outcome
    assert not device.faults, device.faults
    gateway_rollouts.advance(rollout.pk)
    assert states(rollout) == [Of.AWAY]
    answered(rows)
    assert gateway_rollouts.advance(rollout.pk).state == "done"
    assert states(rollout) == [Of.DONE]
    assert "runs 26.1" in rollout.upgrades.get().reason


def test_the_next_wave_waits_for_the_first_and_a_silent_gateway_halts_it(
    organization: Organization, author: User, ends: ExitStack
) -> None:
    _, rows = gateways(organization, ends, "opnsense", 3)
    rollout = started(author, rows, waves=["1", "100%"], pause=1)
    assert states(rollout) == [Of.QUEUED, Of.WAITING, Of.WAITING]
    work_off()
    GatewayRollout.objects.update(wave_started=timezone.now() - timedelta(minutes=5))
    assert gateway_rollouts.advance(rollout.pk).wave == 0
    answered(rows)
    assert gateway_rollouts.advance(rollout.pk).wave == 1
    work_off()
    Change.objects.update(applied=timezone.now() - timedelta(hours=1))
    Gateway.objects.update(last_seen=timezone.now() - timedelta(hours=2))
    found = gateway_rollouts.advance(rollout.pk)
    assert found.state == "halted"
    assert "2 unknown" in found.reason


def test_a_gateway_that_asks_for_a_second_person_waits_for_it(
    organization: Organization, author: User, ends: ExitStack
) -> None:
    _, rows = gateways(organization, ends, "opnsense")
    Gateway.objects.update(approval="catastrophic")
    rollout = started(author, rows)
    assert states(rollout) == [Of.ASKED]
    approve(Change.objects.get(), by=factories.user(organization, "admin"))
    gateway_rollouts.advance(rollout.pk)
    assert states(rollout) == [Of.QUEUED]
    work_off()
    answered(rows)
    assert gateway_rollouts.advance(rollout.pk).state == "done"


def test_what_is_not_known_or_not_permitted_is_said(
    organization: Organization, author: User, ends: ExitStack
) -> None:
    _, rows = gateways(organization, ends, "unifi")
    of = {"organization": organization, "vendor": "unifi", "author": author}
    for targets, words in (
        ("nobody 02:00:00:00:00:01", "no UniFi gateway"),
        (rows[0].name, "MAC address"),
        ("\n", "This field cannot be blank|at least one"),
    ):
        with pytest.raises(Refused, match=words):
            gateway_rollouts.create(**of, targets=targets)
    viewer = factories.user(organization, "viewer")
    rollout = started(viewer, rows, MACS["unifi"])
    assert states(rollout) == [Of.LEFT]
    assert "Permission denied" in rollout.upgrades.get().reason
    with pytest.raises(Conflict, match="started already"):
        gateway_rollouts.start(rollout)
    gateway_rollouts.stop(rollout)
    gateway_rollouts.discard(GatewayRollout.objects.get())


def test_pages_lead_from_the_form_to_the_changes(
    organization: Organization, author: User, ends: ExitStack
) -> None:
    _, rows = gateways(organization, ends, "opnsense")
    client = Client()
    client.force_login(author)
    base = "/admin/firmware/gatewayrollout"
    form = {
        "organization": str(organization.pk), "vendor": "opnsense", "targets": rows[0].name,
        "waves": "100%", "pause": "1", "allowed": "0",
    }  # fmt: skip
    assert client.post(f"{base}/add/", form).status_code == 302
    rollout = GatewayRollout.objects.get()
    assert rollout.author == author
    page = f"{base}/{rollout.pk}"
    assert rows[0].name in client.get(f"{page}/change/").content.decode()
    client.post(f"{page}/move/", {"verb": "start"})
    shown = client.get(f"{page}/progress/").content.decode()
    assert "Queued" in shown
    assert f"/admin/networks/change/{Change.objects.get().pk}/change/" in shown
    stranger = Client()
    stranger.force_login(factories.user(factories.organization(), "admin", is_staff=True))
    assert stranger.get(f"{page}/progress/").status_code == 404
    client.post(f"{page}/move/", {"verb": "stop"})
    GatewayUpgrade.objects.update(state=Of.FAILED)
    GatewayRollout.objects.update(ended=timezone.now() - timedelta(days=4000))
    assert retention.forget() > 0
    assert not GatewayRollout.objects.exists()
