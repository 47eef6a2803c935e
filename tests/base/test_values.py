"""One value, many spellings: canonical when stored, found by each spelling."""

import hashlib
import random
import unicodedata
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import models
from hypothesis import given
from hypothesis import strategies as st

from controller.accounts.models import Organization, User
from controller.base import values
from controller.base.errors import Refused
from controller.base.fields import AddressField, MacAddressField
from controller.devices.models import Device
from controller.vpn.models import Vpn
from networks.gateways.engine import measurements
from networks.gateways.engine.features import values as features
from tests import factories

MACS = st.binary(min_size=6, max_size=6).map(bytes.hex)

# Fields that hold such a value and are no canonical field, and why.
OTHERS = {
    "accounts.Site.gateway_ip": "is shown alone",
    "accounts.Session.address": "comes from the connection itself",
    "monitoring.WifiSession.mac_address": "engine/wireless.py writes one spelling",
    "networks.Node.address": "is made by the portal",
    "networks.Member.ipv4_address": "is chosen by the portal",
    "connections.Terminal.address": "comes from the connection itself",
    "supervisor_proxy.SupervisorCall.address": "comes from the connection itself",
}


def spellings(digits: str) -> list[str]:
    pairs = [digits[at : at + 2] for at in range(0, 12, 2)]
    cisco = ".".join(digits[at : at + 4] for at in (0, 4, 8))
    plain = [":".join(pairs), "-".join(pairs), cisco, digits]
    return [*plain, *(one.upper() for one in plain), f" {plain[0]} "]


@given(MACS)
def test_every_spelling_of_a_mac_address_is_one_value(digits: str) -> None:
    assert len({values.mac_address(one) for one in spellings(digits)}) == 1
    assert values.mac_address(digits) == values.mac_address(values.mac_address(digits))


@pytest.mark.parametrize(
    "text", ["", "00:11:22:33:44", "00:11-22:33:44:55", "00:11:22:33:44:5g"]
)
def test_what_is_no_mac_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="mac address"):
        values.mac_address(text)


@given(st.ip_addresses())
def test_every_spelling_of_an_address_is_one_value(address: Any) -> None:
    texts = {str(address), address.exploded, address.exploded.upper(), f" {address} "}
    assert len({values.ip(one) for one in texts}) == 1


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("vpn.example.org", "vpn.example.org"),
        ("VPN.Example.ORG.", "vpn.example.org"),
        ("vpn.exämple.org", "vpn.xn--exmple-cua.org"),
        ("192.0.2.1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("router_7", "router_7"),
        ("http://vpn.example.org", None),
        ("vpn.example.org:51820", None),
        ("fe80::1%eth0", None),
        ("192.0.2.256", None),
        ("vpn example", None),
        ("a..b", None),
        ("-a.example", None),
    ],
)
def test_a_host_is_a_name_or_an_address_and_nothing_more(text: str, host: str | None) -> None:
    if host is None:
        with pytest.raises(ValueError, match="host name or an IP address"):
            values.host(text)
    else:
        assert values.host(text) == host


# Of each unit, as people, RouterOS, pfSense and Omada write it.
SPANS = st.tuples(*(st.integers(0, top) for top in (9, 6, 23, 59, 59)))


@given(SPANS)
def test_every_spelling_of_a_duration_is_one_value(parts: tuple[int, ...]) -> None:
    weeks, days, hours, minutes, rest = parts
    clock = f"{hours:02}:{minutes:02}:{rest:02}"
    whole = weeks * 7 + days
    texts = {
        f"{weeks}w{days}d{hours}h{minutes}m{rest}s", f"{weeks}w{days}d {clock}",
        f"{whole} days, {clock}", f"{whole}day(s) {hours}h {minutes}m {rest}s",
        f"{whole} Days {hours:02} Hours {minutes:02} Minutes {rest:02} Seconds",
        f" {whole} d {hours} h {minutes} min {rest} sec ",
        str(((whole * 24 + hours) * 60 + minutes) * 60 + rest),
    }  # fmt: skip
    assert len({values.seconds(one) for one in texts}) == 1
    assert features.duration(f"{weeks}w{days}d{clock}") == values.seconds(f"{whole}d {clock}")
    assert measurements.seconds(f"up {whole} days, {clock}") == values.seconds(
        f"{whole}d {clock}"
    )


@given(st.integers(1, 10**6))
def test_every_spelling_of_a_rate_is_one_value(count: int) -> None:
    texts = {f"{count}M", f"{count} Mbit/s", f"{count}000k", f"{count}000000", f"{count}mbps"}
    assert {values.bits_per_second(one) for one in texts} == {count * 10**6}
    assert {features.rate(one) for one in texts} == {(count * 10**6,)}
    assert features.rate(f"{count}M/{count}000k") == (count * 10**6,) * 2


@pytest.mark.parametrize(
    "text", ["", "soon", "1x", "-5", "1.5h", "1:2", "9" * 5000, "1h and a bit", "٣h", "\x00"]
)
def test_what_is_no_duration_and_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        values.seconds(text)
    with pytest.raises(ValueError, match="rate"):
        values.bits_per_second(text)
    assert measurements.seconds(text) is None
    assert features.duration(text) == text


@given(st.text(max_size=30))
def test_comparing_names_knows_no_composition(name: str) -> None:
    composed, apart = (unicodedata.normalize(form, name) for form in ("NFC", "NFD"))
    assert values.name_key(composed) == values.name_key(apart)


def test_every_field_of_such_a_kind_keeps_the_canonical_value() -> None:
    found = set()
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            is_mac = "mac" in field.name.split("_") and isinstance(field, models.CharField)
            is_ip = isinstance(field, models.GenericIPAddressField)
            kinds = MacAddressField if is_mac else AddressField
            if (is_mac or is_ip) and not isinstance(field, kinds):
                found.add(f"{model._meta.label}.{field.name}")
    assert found == set(OTHERS)


@pytest.mark.django_db
def test_a_text_that_is_no_address_is_found_nowhere() -> None:
    looked_up = 0
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, models.GenericIPAddressField):
                rows = model._default_manager
                for text in ("_\x97Øaÿ", "10.0.0.256", "::1%eth0", "café"):
                    assert not rows.filter(**{field.name: text}).exists()
                    assert not rows.filter(
                        **{f"{field.name}__in": [text, "192.0.2.1"]}
                    ).exists()
                    assert rows.exclude(**{field.name: text}).count() == rows.count()
                looked_up += 1
    assert looked_up > 8


def test_a_device_is_found_by_each_spelling_of_its_mac_address(
    organization: Organization, api: Any, admin: User
) -> None:
    digits = "525400eda6b8"
    device = factories.device(organization, mac_address=digits, name="one")
    assert Device.objects.get().mac_address == "52:54:00:ED:A6:B8"
    for one in spellings(digits):
        assert Device.objects.get(mac_address=one) == device
        found = api(admin).get("/api/v1/controller/device/", {"mac_address": one})
        assert found.json()["count"] == 1, one
        with pytest.raises(Refused):
            factories.device(organization, mac_address=one, name=f"two-{random.random()}")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "added", ["52:54:00:ed:a6:b8", "52:54:00:ED:A6:B8", "52-54-00-ED-A6-B8"]
)
@pytest.mark.parametrize("told", ["52:54:00:ed:a6:b8", "52:54:00:ED:A6:B8"])
def test_an_agent_registers_as_the_device_that_was_added_in_another_spelling(
    added: str, told: str, organization: Organization, client: Any
) -> None:
    device = factories.device(organization, mac_address=added, name="label", config={})
    secret = factories.shared_secret(organization)
    key = hashlib.md5(f"{told}+{secret}".encode(), usedforsecurity=False).hexdigest()
    answer = client.post(
        "/controller/register/",
        {
            "secret": secret, "name": told, "mac_address": told, "key": key,
            "backend": "netjsonconfig.OpenWrt",
        },
    )  # fmt: skip
    assert answer.status_code == 201, answer.content
    assert "is-new: 0" in answer.content.decode()
    device.refresh_from_db()
    assert device.key == key
    assert device.mac_address == "52:54:00:ED:A6:B8"
    assert Device.objects.count() == 1


@pytest.mark.django_db
def test_one_user_name_is_one_users_in_every_case_and_composition(client: Any) -> None:
    user = factories.user(username="Jörg.Müller", password="a good password", is_staff=True)
    for name in ("jörg.müller", "JÖRG.MÜLLER", unicodedata.normalize("NFD", "jörg.müller")):
        with pytest.raises(Refused):
            User(username=name, email="other@example.org", password="x").checked()
    User(username="Jorg.Muller", email="other@example.org", password="x").checked()
    apart = unicodedata.normalize("NFD", user.username)
    assert client.login(username=apart, password="a good password")


@pytest.mark.django_db
def test_a_password_is_one_in_every_composition(client: Any) -> None:
    password = "zwölf Bäume im Süden"
    factories.user(username="Jörg", password=password)
    for form in ("NFC", "NFD"):
        sent = {
            "username": unicodedata.normalize(form, "Jörg"),
            "password": unicodedata.normalize(form, password),
        }
        answer = client.post("/api/v1/users/token/", sent)
        assert answer.status_code == 200, (form, answer.content)


@pytest.mark.django_db
def test_an_address_with_a_zone_is_refused_by_every_way_in(
    organization: Organization, api: Any, admin: User, client: Any
) -> None:
    zoned = "fe80::1%br-lan"
    device = factories.device(organization)
    url = f"/api/v1/controller/device/{device.pk}/"
    for address in (zoned, "nonsense"):
        answer = api(admin).patch(url, {"management_ip": address}, format="json")
        assert answer.status_code == 400
        assert "management_ip" in answer.json()
    with pytest.raises(Refused):
        factories.device(organization, management_ip=zoned)
    with pytest.raises(ValidationError):
        AddressField().clean(zoned, device)
    told = {
        "secret": factories.shared_secret(organization), "name": "zoned", "management_ip": zoned,
        "mac_address": factories.mac(), "backend": "netjsonconfig.OpenWrt",
    }  # fmt: skip
    assert client.post("/controller/register/", told).status_code == 400


@pytest.mark.django_db
def test_a_vpn_servers_host_is_what_clients_can_dial(organization: Organization) -> None:
    for host in ("http://vpn.example.org", "vpn.example.org:51820", "fe80::1%eth0"):
        with pytest.raises(Refused) as refusal:
            factories.wireguard(organization, host=host)
        assert "host" in refusal.value.by_field
    row = factories.wireguard(organization, host="[2001:DB8::1]")
    assert Vpn.objects.get(pk=row.pk).host == "2001:db8::1"
