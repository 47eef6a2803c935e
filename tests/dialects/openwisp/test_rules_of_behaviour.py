"""Behavior of OpenWISP's controller, section by section (b1 to b11).

Where OpenWISP's behavior harms its users, the test's name says what Muster does instead.
"""

import hashlib
import io
import tarfile
from typing import Any

import pytest
from django.test import Client

from controller.accounts.models import Organization
from controller.configs.models import Config, Push, Template
from controller.configs.rules import devices, groups, organization_settings, templates
from controller.configs.rules.push_queue import reconcile
from controller.configs.rules.rendering import inputs_of, render_stale, with_inputs
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.models import Device
from controller.devices.rules import settings_of
from controller.vpn.models import VpnClient
from controller.vpn.rules import sync_servers
from pki.rules import renew
from tests import factories

BASE = "/api/v1/controller"
URL = f"{BASE}/device/"
JSON = "application/json"


@pytest.fixture
def headers(organization: Organization) -> dict[str, str]:
    return factories.bearer(factories.user(organization))


def patch(client: Client, headers: dict[str, str], device: Device, **values: Any) -> Any:
    return client.patch(f"{URL}{device.pk}/", values, content_type=JSON, headers=headers)


def has(device: Device) -> list[Template]:
    uses = Config.objects.get(device=device).uses.select_related("template")
    return [use.template for use in uses]


def config_of(device: Device) -> Config:
    return Config.objects.get(device=device)


def applied(device: Device) -> Config:
    """Mark the device's configuration as applied."""
    row = config_of(device)
    row.applied = row.desired
    row.save()
    return row


def archive(client: Client, device: Device) -> bytes:
    url = f"/controller/download-config/{device.pk.hex}/"
    content: bytes = client.get(url, {"key": device.key}).content
    return content


def files(client: Client, device: Device) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(archive(client, device))) as tar:
        return {one.name: tar.extractfile(one).read().decode() for one in tar}  # type: ignore[union-attr]


def variables(device: Device) -> dict[str, Any]:
    return dict(inputs_of(with_inputs().get(device=device)).variables)


# --- b1: what changes a configuration


def test_b1_a_renamed_device_whose_host_name_is_set_stays_applied(
    organization: Organization,
) -> None:
    config = {"general": {"hostname": "fixed"}}
    device = factories.device(organization, name="roof", config={"config": config})
    applied(device)
    devices.update_device(device, name="cellar")
    assert config_of(device).status == "applied"


@pytest.mark.parametrize(
    ("name", "value"), [("mac_address", "02:00:00:12:34:56"), ("hardware_id", "serial-7")]
)
def test_b1_a_changed_address_or_serial_reaches_what_is_rendered_from_it(
    organization: Organization, name: str, value: str
) -> None:
    template = factories.template(organization, config=factories.a_file(f"{{{{ {name} }}}}\n"))
    device = factories.device(organization, config={"templates": [template]})
    before = config_of(device).desired_id
    devices.update_device(device, **{name: value})
    assert config_of(device).desired_id != before


def test_b1_templates_in_another_order_that_come_to_the_same_leave_it_applied(
    organization: Organization,
) -> None:
    one = factories.template(organization, config=factories.a_file("1\n", "etc/one"))
    two = factories.template(organization, config={"general": {"timezone": "UTC"}})
    device = factories.device(organization, config={"templates": [one, two]})
    applied(device)
    devices.update_device(device, config={"templates": [two, one]})
    assert (has(device), config_of(device).status) == ([two, one], "applied")


def test_b1_a_changed_template_reaches_only_those_for_whom_it_comes_to_something_else(
    organization: Organization,
) -> None:
    template = factories.template(
        organization, config=factories.a_file("{{ x }}\n"), default_values={"x": "1"}
    )
    follows, has_its_own = (
        factories.device(organization, config={"templates": [template], "context": context})
        for context in ({}, {"x": "mine"})
    )
    for device in (follows, has_its_own):
        applied(device)
    templates.update_template(template, default_values={"x": "2"})
    render_stale()
    assert config_of(follows).status == "modified"
    assert config_of(has_its_own).status == "applied"


def test_b1_a_template_that_becomes_default_joins_all_that_match(
    organization: Organization,
) -> None:
    template = factories.template(organization)
    matching = factories.device(organization, config={})
    other_backend = factories.device(organization, config={"backend": "netjsonconfig.OpenWisp"})
    off = devices.deactivate(factories.device(organization, config={}))
    templates.update_template(template, default=True)
    assert [has(one) for one in (matching, other_backend, off)] == [[template], [], []]


def test_b1_a_deleted_template_leaves_its_devices_rendered_anew(
    organization: Organization,
) -> None:
    template = factories.template(organization)
    device = factories.device(organization, config={"templates": [template]})
    before = config_of(device).desired_id
    templates.delete_template(template)
    render_stale()
    assert config_of(device).desired_id != before


def test_b1_another_system_is_rendered_in_its_own_syntax(
    client: Client, organization: Organization
) -> None:
    bridge = {"interfaces": [{"name": "lan", "type": "bridge", "bridge_members": ["eth1"]}]}
    device = factories.device(organization, os="OpenWrt 19.07", config={"config": bridge})
    before = files(client, device)["etc/config/network"]
    devices.update_device(device, os="OpenWrt 23.05.3")
    after = files(client, device)["etc/config/network"]
    assert "config device" in after
    assert "config device" not in before


def test_b1_variables_of_the_group_and_of_the_organization_reach_all_that_use_them(
    organization: Organization,
) -> None:
    template = factories.template(organization, config=factories.a_file("{{ a }}{{ b }}\n"))
    group = factories.group(organization, context={"a": "1"})
    device = factories.device(organization, group=group, config={"templates": [template]})
    seen = {config_of(device).desired_id}
    groups.update_group(group, context={"a": "2"})
    render_stale()
    seen.add(config_of(device).desired_id)
    organization_settings.update_settings(settings_of(organization), context={"b": "3"})
    render_stale()
    seen.add(config_of(device).desired_id)
    assert len(seen) == 3


def test_b1_the_checksum_is_always_that_of_the_download(
    client: Client, organization: Organization, settings: Any
) -> None:
    template = factories.template(organization, config=factories.a_file("{{ everywhere }}\n"))
    device = factories.device(organization, config={"templates": [template]})
    settings.MUSTER_VARIABLES = {"everywhere": "changed behind its back"}
    url = f"/controller/checksum/{device.pk.hex}/"
    checksum = client.get(url, {"key": device.key}).content.decode()
    assert hashlib.md5(archive(client, device)).hexdigest() == checksum


def test_b1_a_changed_server_reaches_its_clients_and_a_new_peer_only_the_server(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    before = config_of(device).desired_id
    factories.device(organization, config={"templates": [template]})
    assert render_stale() == 0
    update_vpn(vpn, host="other.example.org")
    render_stale()
    assert config_of(device).desired_id != before


def test_b1_a_renewed_certificate_reaches_its_device(organization: Organization) -> None:
    from controller.configs.rules.vpn_servers import follow_certificates

    template = factories.vpn_template(factories.openvpn(organization))
    device = factories.device(organization, config={"templates": [template]})
    before = config_of(device).desired_id
    renew(VpnClient.objects.get().cert)
    follow_certificates()
    render_stale()
    assert config_of(device).desired_id != before


def test_b1_of_changes_in_quick_succession_none_waits_for_a_poll(
    organization: Organization,
) -> None:
    device = factories.device(organization, management_ip="127.0.0.1", config={})
    factories.connection(device, factories.credentials(organization))
    reconcile()
    before = config_of(device).desired_id
    for text in ("one\n", "two\n"):
        devices.update_device(device, config={"config": factories.a_file(text)})
    row = config_of(device)
    assert Push.objects.filter(config=row).count() == 1
    assert (row.status, row.config) == ("modified", factories.a_file("two\n"))
    assert row.desired_id not in {None, before}


# --- b2: order and merging


def test_b2_required_come_first_then_default_then_the_groups(
    organization: Organization,
) -> None:
    grouped = factories.template(organization, name="a grouped")
    default = factories.template(organization, name="b default", default=True)
    required = factories.template(organization, name="c required", required=True)
    group = factories.group(organization, templates=[grouped])
    device = factories.device(organization, group=group)
    assert has(device) == [required, default, grouped]
    device = devices.activate(devices.deactivate(device))
    assert has(device) == [required, default, grouped]
    devices.update_device(device, config={"templates": [grouped, default]})
    assert has(device) == [required, grouped, default]


def test_b2_later_templates_win_and_the_devices_own_configuration_comes_last(
    client: Client, organization: Organization
) -> None:
    first = factories.template(
        organization,
        config={"general": {"timezone": "UTC", "description": "first"}}
        | factories.a_file("first\n", "etc/x"),
    )
    second = factories.template(
        organization,
        config={"general": {"description": "second"}} | factories.a_file("second\n", "etc/x"),
    )
    own = {"general": {"maintainer": "me"}}
    device = factories.device(
        organization, config={"templates": [first, second], "config": own}
    )
    found = files(client, device)
    assert found["etc/x"] == "second\n"
    for line in ("timezone 'UTC'", "description 'second'", "maintainer 'me'"):
        assert line in found["etc/config/system"]


def test_b2_items_of_one_name_are_merged_in_place_and_others_are_added(
    client: Client, organization: Organization
) -> None:
    def lan(**more: Any) -> dict[str, Any]:
        return {"interfaces": [{"name": "lan0", "type": "ethernet", **more}]}

    first = factories.template(organization, config=lan(mtu=1400))
    other = {"interfaces": [{"name": "wan0", "type": "ethernet"}]}
    device = factories.device(
        organization, os="OpenWrt 19.07",
        config={"templates": [first, factories.template(organization, config=other)],
                "config": lan(mtu=1300)},
    )  # fmt: skip
    network = files(client, device)["etc/config/network"]
    assert "option mtu '1300'" in network
    assert "1400" not in network
    assert network.count("config interface") == 2


def test_b2_what_fails_the_schema_only_when_merged_is_refused_under_config(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(
        organization, config={"interfaces": [{"name": "lan0", "type": "ethernet"}]}
    )
    device = factories.device(organization, config={"templates": [template]})
    wrong = {"interfaces": [{"name": "lan0", "mtu": "much"}]}
    answer = patch(client, headers, device, config={"config": wrong})
    assert answer.status_code == 400
    assert list(answer.json()) == ["config"]
    assert config_of(device).config == {}


# --- b3: change of group


def test_b3_a_changed_group_reaches_all_its_devices_but_those_out_of_service(
    organization: Organization,
) -> None:
    first, second = factories.template(organization), factories.template(organization)
    group = factories.group(organization, templates=[first])
    one, two, off = (factories.device(organization, group=group) for _ in range(3))
    devices.deactivate(off)
    groups.update_group(group, templates=[second])
    assert [has(device) for device in (one, two, off)] == [[second], [second], []]


def test_b3_templates_of_both_groups_stay_and_only_those_of_the_old_one_go(
    organization: Organization,
) -> None:
    old, both, new = (factories.template(organization) for _ in range(3))
    before = factories.group(organization, templates=[old, both])
    after = factories.group(organization, templates=[both, new])
    own = factories.template(organization)
    device = factories.device(organization, group=before)
    devices.update_device(device, config={"templates": [old, both, own]})
    devices.update_device(Device.objects.get(pk=device.pk), group=after)
    assert has(device) == [both, own, new]


def test_b3_a_device_may_do_without_a_template_of_its_group(
    organization: Organization,
) -> None:
    template = factories.template(organization)
    device = factories.device(
        organization, group=factories.group(organization, templates=[template])
    )
    devices.update_device(device, config={"templates": []})
    assert has(device) == []


# --- b4: variables


def test_b4_the_devices_own_variable_wins_over_every_other(
    organization: Organization, settings: Any
) -> None:
    settings.MUSTER_VARIABLES = {"v": "everywhere", "e": "everywhere", "t": "everywhere"}
    template = factories.template(
        organization, default_values={"v": "template", "d": "template"}
    )
    organization_settings.update_settings(
        settings_of(organization), context={"v": "organization", "o": "organization"}
    )
    group = factories.group(organization, context={"v": "group", "o": "group"})
    device = factories.device(
        organization, group=group, hardware_id="serial",
        config={"templates": [template], "context": {"v": "device"}},
    )  # fmt: skip
    known = variables(device)
    assert {name: known[name].value for name in "vdoe"} == {
        "v": "device", "d": "template", "o": "group", "e": "everywhere",
    }  # fmt: skip
    assert known["v"].origin == "this device"
    assert known["id"].value == str(device.pk)
    assert known["hardware_id"].value == "serial"


def test_b4_the_host_name_is_the_devices_and_an_unknown_variable_is_left_and_told(
    client: Client, organization: Organization
) -> None:
    device = factories.device(
        organization, name="02:00:00:00:AA:01", mac_address="02:00:00:00:AA:01",
        config={"config": factories.a_file("{{ unheard_of }}\n")},
    )  # fmt: skip
    found = files(client, device)
    assert "option hostname '02-00-00-00-AA-01'" in found["etc/config/system"]
    assert found["etc/motd"] == "{{ unheard_of }}\n"
    from controller.configs.rules.drift import undefined

    assert undefined(config_of(device)) == ["unheard_of"]


# --- b5: rendering


def test_b5_an_archive_has_no_times_no_leading_slashes_and_modes_as_written(
    client: Client, organization: Organization
) -> None:
    template = factories.vpn_template(factories.openvpn(organization))
    device = factories.device(
        organization,
        config={"templates": [template], "config": factories.a_file("x\n", "/etc/x")},
    )
    content = archive(client, device)
    assert content[4:8] == bytes(4)
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        modes = {one.name: one.mode for one in tar}
        assert {one.mtime for one in tar} == {0}
    assert modes["etc/x"] == 0o644
    assert {mode for name, mode in modes.items() if "x509" in name} == {0o600}


@pytest.mark.parametrize("path", ["../etc/passwd", "/etc/./x", "/etc//x", "/etc/a b", ""])
def test_b5_a_path_that_leads_elsewhere_is_refused(
    client: Client, organization: Organization, headers: dict[str, str], path: str
) -> None:
    device = factories.device(organization, config={})
    answer = patch(client, headers, device, config={"config": factories.a_file("x", path)})
    assert answer.status_code == 400
    assert config_of(device).config == {}


# --- b6: deactivation and activation


def test_b6_activating_brings_the_usual_templates_and_a_second_time_changes_nothing(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    usual = factories.template(organization, default=True)
    device = factories.device(organization, config={"context": {"a": "1"}})
    off = client.post(f"{URL}{device.pk}/deactivate/", headers=headers).json()
    assert off["is_deactivated"] is True
    assert (off["config"]["status"], off["config"]["templates"]) == ("deactivating", [])
    on = client.post(f"{URL}{device.pk}/activate/", headers=headers).json()
    assert on["config"]["templates"] == [str(usual.pk)]
    assert client.post(f"{URL}{device.pk}/activate/", headers=headers).status_code == 200


def test_b6_a_device_leaves_its_servers_and_takes_an_empty_configuration(
    client: Client, organization: Organization
) -> None:
    template = factories.vpn_template(factories.openvpn(organization))
    device = factories.device(organization, config={"templates": [template]})
    applied(device)
    checksum = f"/controller/checksum/{device.pk.hex}/"
    client.get(checksum, {"key": device.key, "management_ip": "10.0.0.5"})
    cert = VpnClient.objects.get().cert
    devices.deactivate(Device.objects.get(pk=device.pk))
    cert.refresh_from_db()
    assert (cert.revoked, VpnClient.objects.count()) == (True, 0)
    assert config_of(device).status == "deactivating"
    told = {"key": device.key, "status": "applied"}
    url = f"/controller/report-status/{device.pk.hex}/"
    assert client.post(url, told).status_code == 200
    device.refresh_from_db()
    # Only a reported address is cleared; unlike OpenWISP, one entered by a user stays.
    assert (config_of(device).status, device.management_ip) == ("deactivated", None)
    assert client.post(url, told).status_code == 404


# --- b7: the agent


@pytest.mark.parametrize("status", ["deactivating", "deactivated", "modified"])
def test_b7_a_device_does_not_put_itself_out_of_service(
    client: Client, organization: Organization, status: str
) -> None:
    device = factories.device(organization, config={})
    client.post(
        f"/controller/report-status/{device.pk.hex}/", {"key": device.key, "status": status}
    )
    assert config_of(device).status == "modified"
    checksum = f"/controller/checksum/{device.pk.hex}/"
    assert client.get(checksum, {"key": device.key}).status_code == 200


def test_b7_an_error_without_a_reason_has_a_text(
    client: Client, organization: Organization
) -> None:
    device = factories.device(organization, config={})
    told = {"key": device.key, "status": "error"}
    client.post(f"/controller/report-status/{device.pk.hex}/", told)
    row = config_of(device)
    assert (row.status, bool(row.error_reason)) == ("error", True)


def test_b7_both_addresses_of_a_verb_and_both_ways_to_write_an_id_answer_alike(
    client: Client, organization: Organization
) -> None:
    device = factories.device(organization, config={})
    answers = {
        client.get(f"/controller/{prefix}checksum/{pk}/", {"key": device.key}).content
        for prefix in ("", "device/")
        for pk in (device.pk.hex, str(device.pk))
    }
    assert len(answers) == 1
    assert len(answers.pop()) == 32


# --- b8: VPN server webhooks


def test_b8_a_server_without_a_webhook_is_not_told(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    assert sync_servers() == 0


# --- b9: permissions


@pytest.mark.django_db
def test_b9_who_manages_nothing_is_turned_away_everywhere(client: Client) -> None:
    nobody = factories.bearer(factories.user())
    for path in ("device", "group", "template", "vpn", "credential", "ca"):
        answer = client.get(f"{BASE}/{path}/", headers=nobody)
        assert answer.status_code == 403


def test_b9_without_credentials_the_answer_says_bearer(client: Client) -> None:
    answer = client.get(URL)
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"].startswith("Bearer")


def test_b9_what_is_foreign_is_not_found_and_what_is_shared_is_read(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    foreign = factories.device(factories.organization(), config={})
    for tail in ("", "command/", "connection/", "location/"):
        assert client.get(f"{URL}{foreign.pk}/{tail}", headers=headers).status_code == 404
    shared = f"{BASE}/template/{factories.template(None).pk}/"
    assert client.get(shared, headers=headers).status_code == 200
    changed = client.patch(shared, {"name": "mine"}, content_type=JSON, headers=headers)
    assert changed.status_code == 403


def test_b9_an_organization_is_named_and_is_ones_own(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    for owner, text in ((None, "may not be null"), (str(factories.organization().pk), "")):
        body = {"name": "roof", "organization": owner, "mac_address": factories.mac()}
        answer = client.post(URL, body, content_type=JSON, headers=headers)
        assert answer.status_code == 400
        assert text in answer.json()["organization"][0]
    assert not Device.objects.exists()


def test_b9_secrets_are_for_those_who_may_read_them(
    client: Client, organization: Organization
) -> None:
    ca = factories.ca(organization)
    factories.credentials(organization)
    device = factories.device(organization, config={})
    viewer = factories.bearer(factories.user(organization, "viewer"))
    assert client.get(f"{BASE}/ca/{ca.pk}/", headers=viewer).json()["private_key"] is None
    for path in ("credential", "device", f"device/{device.pk}", "ca"):
        text = client.get(f"{BASE}/{path}/", headers=viewer).content.decode()
        assert "a secret password" not in text
        assert device.key not in text
        assert "PRIVATE KEY" not in text


# --- b10: filters


def test_b10_the_filters_of_templates_groups_and_servers_combine(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    wanted = factories.template(organization, default=True)
    factories.template(organization)
    factories.template(organization, backend="netjsonconfig.OpenWisp", default=True)
    full = factories.group(organization)
    factories.device(organization, group=full)
    empty = factories.group(organization)
    vpn = factories.wireguard(organization)
    factories.openvpn(organization)
    slug = {"organization_slug": organization.slug}
    for path, query, row in (
        ("template", {"backend": wanted.backend, "default": "true", "type": "generic"}, wanted),
        ("group", {"empty": "true"}, full),
        ("group", {"empty": "false"}, empty),
        ("vpn", {"backend": vpn.backend, "subnet": str(vpn.subnet_id)}, vpn),
    ):
        answer = client.get(f"{BASE}/{path}/", query | slug, headers=headers).json()
        assert [one["id"] for one in answer["results"]] == [str(row.pk)]


def test_b10_the_filters_of_places_find_what_they_name(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    here = factories.location(organization, is_mobile=True)
    factories.location(organization)
    factories.placed(here, name="roof")
    query = {"is_mobile": "true", "organization": str(organization.pk), "type": "indoor"}
    found = client.get(f"{BASE}/location/", query, headers=headers).json()["results"]
    assert [one["id"] for one in found] == [str(here.pk)]
    for query in ({"with_geo": "true"}, {"location": str(here.pk)}):
        found = client.get(URL, query, headers=headers).json()["results"]
        assert [one["name"] for one in found] == ["roof"]


# --- b11: formats


def test_b11_a_page_size_beyond_the_most_is_cut_and_a_page_past_the_end_is_a_404(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    factories.device(organization)
    assert client.get(URL, {"page_size": 1000}, headers=headers).status_code == 200
    answer = client.get(URL, {"page": 9}, headers=headers)
    assert (answer.status_code, answer.json()) == (404, {"detail": "Invalid page."})


def test_b11_a_patch_leaves_the_rest_alone(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(organization)
    group = factories.group(organization, templates=[template])
    device = factories.device(organization, config={"templates": [template]})
    patch(client, headers, device, config={"context": {"a": "1"}})
    assert has(device) == [template]
    url = f"{BASE}/group/{group.pk}/"
    client.patch(url, {"description": "x"}, content_type=JSON, headers=headers)
    assert [use.template for use in group.template_uses.all()] == [template]


def test_b11_a_put_back_to_all_defaults_is_heard(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    template = factories.template(organization)
    device = factories.device(
        organization, name="roof", config={"templates": [template], "context": {"a": "1"}}
    )
    config = {"backend": "netjsonconfig.OpenWrt", "context": {}, "config": {}, "templates": []}
    whole = {
        "name": device.name, "organization": str(organization.pk),
        "mac_address": device.mac_address, "config": config,
    }  # fmt: skip
    answer = client.put(f"{URL}{device.pk}/", whole, content_type=JSON, headers=headers)
    assert answer.status_code == 200
    assert (has(device), config_of(device).context) == ([], {})


def test_b11_documented_and_real_addresses_both_answer(
    client: Client, organization: Organization, headers: dict[str, str]
) -> None:
    ca = factories.ca(organization)
    for path in (
        "/api/v1/connection/credential/", f"{BASE}/credential/",
        f"{BASE}/ca/{ca.pk}/crl/", f"{BASE}/ca/{ca.pk}/crl",
    ):  # fmt: skip
        assert client.get(path, headers=headers).status_code == 200, path
