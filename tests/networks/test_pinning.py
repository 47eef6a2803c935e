"""Certificates of appliances are pinned by their fingerprint."""

import hashlib
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.base.errors import Refused, Unreachable
from controller.base.outbound.pinning import fingerprint_of, shown_fingerprint
from networks.gateways.models import Gateway
from networks.gateways.rules import gateways
from tests import factories
from tests.fleet.certificates import self_made
from tests.fleet.gateway import serving
from tests.fleet.gateways import VENDORS

OTHER = "ab" * 32


@pytest.fixture(params=sorted(VENDORS))
def device(request: Any, tmp_path: Path, writes: Any) -> Iterator[Any]:
    pem, context = self_made(tmp_path / "appliance.pem")
    found = VENDORS[request.param]()
    found.tls = context
    found.pem = pem  # type: ignore[attr-defined]
    with serving(found):
        yield found


def gateway_of(device: Any, **values: Any) -> Gateway:
    url = device.url.replace("127.0.0.1", "localhost")
    return factories.gateway(
        factories.organization(), url, vendor=device.vendor, key=device.key,
        secret=device.secret, **values,
    )  # fmt: skip


def fingerprint(device: Any) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(device.pem)).hexdigest()


@pytest.mark.django_db
def test_the_pinned_certificate_is_taken_whatever_it_names(device: Any) -> None:
    row = gateway_of(device, fingerprint=shown_fingerprint(fingerprint(device)))
    assert row.fingerprint == fingerprint(device)
    assert gateways.look(row).last_seen is not None


@pytest.mark.django_db
def test_no_other_certificate_is_taken_and_nothing_is_sent_to_it(device: Any) -> None:
    row = gateway_of(device, fingerprint=OTHER, ca_certificate=device.pem)
    with pytest.raises(Unreachable) as told:
        gateways.look(row)
    assert shown_fingerprint(fingerprint(device)) in str(told.value)
    assert device.requests == []


@pytest.mark.django_db
def test_a_certificate_that_no_authority_signed_is_told_as_such(device: Any) -> None:
    with pytest.raises(Unreachable, match="certificate is not trusted"):
        gateways.look(gateway_of(device))
    assert device.requests == []


@pytest.mark.parametrize(
    "text",
    [
        OTHER, OTHER.upper(), ":".join(["AB"] * 32), " ".join(["ab"] * 32),
        f"SHA256 Fingerprint={':'.join(['AB'] * 32)}",
        f"sha256 Fingerprint={':'.join(['AB'] * 32)}\n",
    ],
)  # fmt: skip
def test_every_spelling_of_a_fingerprint_is_one(text: str) -> None:
    assert fingerprint_of(text) == OTHER


@pytest.mark.parametrize("text", ["ab", "zz" * 32, "ab" * 20, "ab" * 33])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64 hexadecimal"):
        fingerprint_of(text)


@pytest.mark.django_db
def test_a_pin_is_set_by_the_api_and_a_new_one_asks_for_the_secrets_again(api: Any) -> None:
    row = factories.gateway(factories.organization(), "https://192.168.1.1")
    owner, path = api(factories.superuser()), f"/api/v1/gateways/{row.pk}/"
    assert owner.patch(path, {"fingerprint": "12:34"}, format="json").status_code in {400, 422}
    sent = {"fingerprint": OTHER, "key": "k", "secret": "s"}
    assert owner.patch(path, sent, format="json").data["fingerprint"] == OTHER
    # The same one, spelled otherwise, is no other appliance.
    same = shown_fingerprint(OTHER)
    assert owner.patch(path, {"fingerprint": same}, format="json").status_code == 200
    row.refresh_from_db()
    assert (row.key, row.secret) == ("k", "s")
    with pytest.raises(Refused):
        gateways.update_gateway(row, fingerprint="cd" * 32)
