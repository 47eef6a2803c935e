"""Enrollment of devices that prove their own key, and its approval or rejection."""

import base64
import subprocess
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.test import Client
from django.utils import timezone

from controller.base.errors import Conflict
from controller.configs.rules import enrollment
from controller.devices.engine import proof
from controller.devices.models import Device, Enrollment
from controller.devices.rules import settings_of, update_settings
from tests import factories

FORM = "application/x-www-form-urlencoded"
MAC = "02:aa:f4:09:e0:c1"


@pytest.fixture
def open_organization(organization):
    update_settings(settings_of(organization), enrollment_enabled=True)
    return organization


def usual(client, owner, key, **told):
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "organization": owner.slug,
        "name": "roof",
        "mac_address": MAC,
        "backend": "netjsonconfig.OpenWrt",
        "model": "TP-Link C7",
        "public_key": base64.b64encode(public).decode(),
        "challenge": client.get("/controller/enroll/challenge/").content.decode(),
    } | told


def ask(client, owner, key, *, signed_by=None, **told):
    body = urlencode(usual(client, owner, key, **told))
    signature = base64.b64encode((signed_by or key).sign(body.encode())).decode()
    return client.post(
        "/controller/enroll/", f"{body}&signature={quote(signature)}", content_type=FORM
    )


def lines(answer):
    return dict(line.split(": ") for line in answer.content.decode().splitlines())


def test_a_device_waits_until_a_person_approves_and_then_gets_its_key(
    client, open_organization
):
    key = Ed25519PrivateKey.generate()
    factories.template(open_organization, default=True)

    answer = ask(client, open_organization, key)
    assert answer.status_code == 202
    assert answer["X-Openwisp-Controller"] == "true"
    assert Device.objects.count() == 0
    row = Enrollment.objects.get()
    assert lines(answer) == {"enrollment": "pending", "fingerprint": row.fingerprint}

    device = enrollment.approve(row, by=None)
    told = ask(client, open_organization, key)
    assert told.status_code == 201
    assert lines(told)["uuid"] == device.pk.hex
    checksum = client.get(f"/controller/checksum/{device.pk.hex}/", {"key": lines(told)["key"]})
    assert checksum.status_code == 200
    assert device.model == "TP-Link C7"


def test_a_device_that_lost_its_key_gets_it_again_by_its_proof(client, open_organization):
    key = Ed25519PrivateKey.generate()
    ask(client, open_organization, key)
    device = enrollment.approve(Enrollment.objects.get(), by=None)

    again = ask(client, open_organization, key, name="renamed", organization="elsewhere")

    assert lines(again)["uuid"] == device.pk.hex
    assert Device.objects.count() == 1


@pytest.mark.parametrize("told", [{"name": "other"}, {"mac_address": "02:aa:f4:09:e0:ff"}])
def test_nobody_asks_with_the_key_of_another(client, open_organization, told):
    key, thief = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()

    answer = ask(client, open_organization, key, signed_by=thief, **told)

    assert answer.status_code == 400
    assert b"signature is not that of public_key" in answer.content
    assert not Enrollment.objects.exists()


def test_what_is_changed_after_signing_is_refused(client, open_organization):
    key = Ed25519PrivateKey.generate()
    body = urlencode(usual(client, open_organization, key))
    signature = quote(base64.b64encode(key.sign(body.encode())).decode())
    changed = body.replace("roof", "cell")

    answer = client.post(
        "/controller/enroll/", f"{changed}&signature={signature}", content_type=FORM
    )

    assert answer.status_code == 400


def test_an_old_request_is_worth_nothing(client, open_organization, time_machine):
    key = Ed25519PrivateKey.generate()
    told = usual(client, open_organization, key)
    later = timezone.now() + timedelta(seconds=enrollment.CHALLENGE_SECONDS + 60)
    time_machine.move_to(later)

    answer = ask(client, open_organization, key, challenge=told["challenge"])

    assert answer.status_code == 400
    assert b"too old" in answer.content


def test_organizations_that_take_none_and_those_that_do_not_exist_look_alike(
    client, organization
):
    key = Ed25519PrivateKey.generate()
    closed = ask(client, organization, key)
    unknown = ask(client, organization, key, organization="nobody")

    assert closed.status_code == unknown.status_code == 403
    assert closed.content == unknown.content
    assert not Enrollment.objects.exists()


@pytest.mark.parametrize("missing", ["name", "mac_address", "public_key", "challenge"])
def test_what_is_missing_is_named(client, open_organization, missing):
    answer = ask(client, open_organization, Ed25519PrivateKey.generate(), **{missing: ""})

    assert answer.status_code == 400
    assert missing.encode() in answer.content


@pytest.mark.parametrize(
    "body", ["", "name=x", "name=x&signature=", "name=%00&signature=%ff", "signature=x&name=y"]
)
def test_broken_requests_are_told_what_is_wrong_with_them(client, open_organization, body):
    assert client.post("/controller/enroll/", body, content_type=FORM).status_code == 400


@pytest.mark.parametrize("bad", [{"name": "a b"}, {"mac_address": "x"}, {"public_key": "AAAA"}])
def test_bad_values_are_refused(client, open_organization, bad):
    answer = ask(client, open_organization, Ed25519PrivateKey.generate(), **bad)

    assert answer.status_code == 400
    assert not Enrollment.objects.exists()


def test_a_rejected_device_stays_out(client, open_organization):
    key = Ed25519PrivateKey.generate()
    ask(client, open_organization, key)
    enrollment.reject(Enrollment.objects.get(), by=None)

    assert ask(client, open_organization, key).status_code == 403
    assert Enrollment.objects.get().state == "rejected"


def test_only_so_many_may_wait(client, open_organization, monkeypatch):
    monkeypatch.setattr(enrollment, "PENDING_MOST", 1)
    assert ask(client, open_organization, Ed25519PrivateKey.generate()).status_code == 202
    assert ask(client, open_organization, Ed25519PrivateKey.generate()).status_code == 403


def test_a_device_takes_the_place_of_one_with_its_address_only_on_purpose(
    client, open_organization
):
    there = factories.device(open_organization, mac_address=MAC.upper(), config={})
    ask(client, open_organization, Ed25519PrivateKey.generate())
    row = Enrollment.objects.get()

    with pytest.raises(Conflict, match="has this MAC address already"):
        enrollment.approve(row, by=None)
    assert enrollment.approve(row, by=None, replaces=True).pk == there.pk
    former = there.key
    there.refresh_from_db()
    assert there.key != former


def test_a_device_whose_row_was_deleted_asks_anew(client, open_organization):
    key = Ed25519PrivateKey.generate()
    ask(client, open_organization, key)
    enrollment.approve(Enrollment.objects.get(), by=None).delete()

    assert ask(client, open_organization, key).status_code == 202
    assert Enrollment.objects.get().state == "pending"


def test_those_that_stop_asking_are_forgotten(client, open_organization):
    ask(client, open_organization, Ed25519PrivateKey.generate())
    assert enrollment.prune() == 0
    Enrollment.objects.update(asked=timezone.now() - timedelta(days=31))
    assert enrollment.prune() == 1


def test_keys_and_signatures_of_usign_are_understood():
    key = Ed25519PrivateKey.generate()
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    head = b"Ed" + bytes(8)

    assert proof.public_key(base64.b64encode(head + raw).decode()) == raw
    assert proof.public_key(base64.b64encode(raw).decode()) == raw
    proof.check(raw, base64.b64encode(head + key.sign(b"text")).decode(), b"text")


URL = "/api/v1/controller/enrollment/"


def test_pending_devices_are_listed_and_approved_over_the_api(client, open_organization):
    ask(client, open_organization, Ed25519PrivateKey.generate())
    row = Enrollment.objects.get()
    group = factories.group(open_organization)
    headers = factories.bearer(factories.user(open_organization))

    listed = client.get(URL, {"state": "pending"}, headers=headers).json()
    assert [one["fingerprint"] for one in listed["results"]] == [row.fingerprint]
    answer = client.post(
        f"{URL}{row.pk}/approve/",
        {"name": "attic", "group": str(group.pk)},
        content_type="application/json",
        headers=headers,
    )

    assert answer.status_code == 200
    assert answer.json()["state"] == "approved"
    device = Device.objects.get()
    assert (device.name, device.group) == ("attic", group)
    row.refresh_from_db()
    assert row.decided_by is not None
    again = client.post(f"{URL}{row.pk}/approve/", headers=headers)
    assert again.status_code == 409


def test_strangers_see_none_and_viewers_decide_nothing(client, open_organization):
    ask(client, open_organization, Ed25519PrivateKey.generate())
    row = Enrollment.objects.get()
    stranger = factories.bearer(factories.user(factories.organization()))
    viewer = factories.bearer(factories.user(open_organization, "viewer"))

    assert client.get(URL, headers=stranger).json()["count"] == 0
    assert client.post(f"{URL}{row.pk}/approve/", headers=stranger).status_code == 404
    assert client.get(URL, headers=viewer).json()["count"] == 1
    assert client.post(f"{URL}{row.pk}/approve/", headers=viewer).status_code == 403
    assert client.post(f"{URL}{row.pk}/reject/", headers=viewer).status_code == 403
    assert client.delete(f"{URL}{row.pk}/", headers=viewer).status_code == 403


def test_the_list_of_those_that_ask_takes_the_same_queries_however_many(
    client, open_organization, django_assert_max_num_queries
):
    for number in range(15):
        Enrollment.objects.create(
            organization=open_organization, public_key=str(number), name="a", mac_address=MAC
        )
    headers = factories.bearer(factories.user(open_organization))
    with django_assert_max_num_queries(5):
        client.get(URL, headers=headers)


def test_a_person_approves_and_rejects_in_the_admin(client, open_organization):
    client.force_login(factories.superuser())
    for number in range(2):
        ask(Client(), open_organization, Ed25519PrivateKey.generate(), name=f"roof{number}",
            mac_address=f"02:aa:f4:09:e0:d{number}")  # fmt: skip
    first, second = Enrollment.objects.order_by("name")
    page = f"/admin/devices/enrollment/{first.pk}/change/"
    assert first.fingerprint in client.get("/admin/devices/enrollment/").content.decode()
    assert "Approve" in client.get(page).content.decode()

    approve = f"/admin/devices/enrollment/{first.pk}/approve/"
    shown = client.get(approve).content.decode()
    assert "Compare the fingerprint" in shown
    done = client.post(approve, {"confirmed": "1"})
    assert done.status_code == 302
    assert Device.objects.get().name == "roof0"

    client.post(f"/admin/devices/enrollment/{second.pk}/reject/", {"confirmed": "1"})
    second.refresh_from_db()
    assert second.state == "rejected"


@pytest.mark.django_db(transaction=True)
def test_the_script_for_devices_enrolls_with_openssl(live_server, tmp_path):
    organization = factories.organization()
    update_settings(settings_of(organization), enrollment_enabled=True)
    script = Path("agents/muster-enroll").resolve()

    def run():
        return subprocess.run(
            ["dash", script, live_server.url, organization.slug],
            env={"PATH": "/usr/bin:/bin", "MUSTER_KEYS": str(tmp_path), "MUSTER_MAC": MAC,
                 "MUSTER_NAME": "attic"},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    first = run()
    assert first.returncode == 3, first.stderr + first.stdout
    row = Enrollment.objects.get()
    assert row.fingerprint in first.stdout
    enrollment.approve(row, by=None)
    second = run()
    assert second.returncode == 0
    assert f"uuid: {Device.objects.get().pk.hex}" in second.stdout
