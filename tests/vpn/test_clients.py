import io
import tarfile
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_crl
from django.db import connection
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.base.errors import Refused
from controller.configs.models import Config, Template
from controller.configs.rules import devices as inventory
from controller.configs.rules import rendering, templates
from controller.configs.rules.vpn_servers import follow_certificates, update_vpn
from controller.devices.models import Device
from controller.vpn import rules
from controller.vpn.models import Vpn, VpnClient
from networks.ipam.models import IpAddress
from pki.models import Ca, Cert
from pki.rules import current_list, renew, renew_ca
from tests import factories


def of_device(device: Device) -> dict[str, str]:
    archive = Config.objects.select_related("desired").get(device=device).desired.archive
    return unpacked(archive)


def unpacked(archive: Any) -> dict[str, str]:
    with tarfile.open(fileobj=io.BytesIO(bytes(archive))) as tar:
        return {one.name: tar.extractfile(one).read().decode() for one in tar}


def server_files(vpn: Vpn) -> dict[str, str]:
    fresh = Vpn.objects.get(pk=vpn.pk)
    return unpacked(rules.rendered(fresh).archive)


def with_template(organization: Organization, vpn: Vpn, **values: Any) -> Device:
    template = factories.vpn_template(vpn)
    return factories.device(organization, config={"templates": [template]}, **values)


def change(device: Device, **config: Any) -> Device:
    return inventory.update_device(Device.objects.get(pk=device.pk), config=config)


def test_a_client_comes_with_the_template_and_goes_with_it(organization: Organization) -> None:
    vpn = factories.openvpn(organization)
    device = with_template(organization, vpn, name="router")
    client = VpnClient.objects.get(device=device)
    assert client.cert is not None
    assert client.cert.organization == organization
    assert client.cert.ca == vpn.ca
    assert client.cert.common_name.startswith(f"{device.mac_address}-router-")
    change(device, templates=[])
    assert not VpnClient.objects.exists()
    cert = Cert.objects.get(pk=client.cert_id)
    assert cert.revoked
    assert "etc/config/openvpn" not in of_device(device)


def test_a_certificate_that_is_no_longer_used_is_on_the_list(
    organization: Organization,
) -> None:
    vpn = factories.openvpn(organization)
    device = with_template(organization, vpn)
    serial = int(VpnClient.objects.get().cert.serial_number)
    change(device, templates=[])
    listed = load_pem_x509_crl(current_list(Ca.objects.get(pk=vpn.ca_id)).pem.encode())
    assert [one.serial_number for one in listed] == [serial]


def test_the_address_of_a_client_is_free_again_when_it_leaves(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    first = with_template(organization, vpn)
    address = VpnClient.objects.get().ip.ip_address
    change(first, templates=[])
    assert not IpAddress.objects.filter(ip_address=address).exists()
    template = Template.objects.get(vpn=vpn)
    factories.device(organization, config={"templates": [template]})
    assert VpnClient.objects.get().ip.ip_address == address


def test_deactivating_a_device_takes_it_out_of_every_server(organization: Organization) -> None:
    vpns = [factories.openvpn(organization), factories.wireguard(organization)]
    chosen = [factories.vpn_template(vpn) for vpn in vpns]
    device = factories.device(organization, config={"templates": chosen})
    assert VpnClient.objects.filter(device=device).count() == 2
    inventory.deactivate(Device.objects.get(pk=device.pk))
    assert not VpnClient.objects.exists()
    assert Cert.objects.filter(revoked=True).count() == 1
    assert "[Peer]" not in server_files(vpns[1])["wg0.conf"]


def test_deleting_a_device_revokes_what_it_had(organization: Organization) -> None:
    device = with_template(organization, factories.openvpn(organization))
    cert = VpnClient.objects.get().cert
    inventory.delete_device(Device.objects.get(pk=device.pk), force=True)
    cert.refresh_from_db()
    assert cert.revoked


def test_49_two_vpn_templates_of_one_server_are_refused_and_the_state_is_intact(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(organization)
    device = with_template(organization, vpn)
    mine = Template.objects.get(vpn=vpn)
    twin = factories.vpn_template(vpn)
    path = f"/api/v1/controller/device/{device.pk}/"
    both = {"config": {"templates": [str(mine.pk), str(twin.pk)]}}
    answer = api(admin).patch(path, both, format="json")
    assert answer.status_code == 400
    assert "same VPN server" in answer.json()["config"][0]
    client = VpnClient.objects.get()
    assert not client.cert.revoked
    swapped = {"config": {"templates": [str(twin.pk)]}}
    assert api(admin).patch(path, swapped, format="json").status_code == 200
    assert VpnClient.objects.get() == client


def test_the_variables_have_the_names_of_openwisp(organization: Organization) -> None:
    vpn = factories.vxlan(organization)
    device = with_template(organization, vpn)
    config = rendering.with_inputs().get(device=device)
    found = {name: one.value for name, one in rendering.inputs_of(config).variables.items()}
    client, pk = VpnClient.objects.get(), vpn.pk.hex
    assert found[f"vpn_host_{pk}"] == "vpn.example.org"
    assert found[f"vpn_port_{pk}"] == "51820"
    assert found[f"public_key_{pk}"] == vpn.public_key
    assert found[f"pub_key_{pk}"] == client.public_key
    assert found[f"pvt_key_{pk}"] == client.private_key
    assert found[f"ip_address_{pk}"] == client.ip.ip_address
    assert found[f"server_ip_address_{pk}"] == vpn.ip.ip_address
    assert found[f"server_ip_network_{pk}"] == f"{vpn.ip.ip_address}/32"
    assert found[f"vpn_subnet_{pk}"] == vpn.subnet.subnet
    assert found[f"vni_{pk}"] == "1"


def test_the_variables_of_certificates_have_their_names_and_paths(
    organization: Organization,
) -> None:
    vpn = factories.openvpn(
        organization, ca=factories.ca(organization, name="the CA", common_name="a b")
    )
    device = with_template(organization, vpn)
    config = rendering.with_inputs().get(device=device)
    found = {name: one.value for name, one in rendering.inputs_of(config).variables.items()}
    cert, pk = VpnClient.objects.get().cert, vpn.pk.hex
    assert found[f"ca_path_{pk}"] == f"/etc/x509/ca-{vpn.ca.pk}-a_b.pem"
    assert found[f"cert_path_{pk}"] == f"/etc/x509/client-{pk}.pem"
    assert found[f"key_path_{pk}"] == f"/etc/x509/key-{pk}.pem"
    assert found[f"ca_contents_{pk}"] == vpn.ca.certificate
    assert found[f"cert_contents_{pk}"] == cert.certificate
    assert found[f"key_contents_{pk}"] == cert.private_key


def test_what_a_client_is_given_goes_before_the_group_and_below_the_device(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    name = f"vpn_host_{vpn.pk.hex}"
    template = factories.vpn_template(vpn, default_values={name: "template"})
    group = factories.group(organization, context={name: "group"})
    device = factories.device(organization, group=group, config={"templates": [template]})

    def origin() -> str:
        config = rendering.with_inputs().get(device=device)
        return rendering.inputs_of(config).variables[name].origin

    assert origin() == f"VPN {vpn.name}"
    change(device, context={name: "mine"})
    assert origin() == "this device"
    assert "mine" in of_device(device)["etc/config/network"]


def test_a_template_without_a_configuration_follows_its_server(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(organization)
    device = with_template(organization, vpn)
    update_vpn(vpn, config={"wireguard": [{"name": "wg7", "port": 1234}]})
    assert rendering.render_stale() == 1
    text = of_device(device)["etc/config/network"]
    assert "config interface 'wg7'" in text
    assert "option endpoint_port '1234'" in text


def test_notes_on_a_server_render_no_device_again(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    with_template(organization, vpn)
    update_vpn(vpn, notes="in the cellar")
    assert rendering.render_stale() == 0


def test_a_new_peer_changes_the_server_and_no_other_client(organization: Organization) -> None:
    vpn = factories.wireguard(organization)
    first = with_template(organization, vpn)
    before = Config.objects.get(device=first).desired_id
    checksum = rules.rendered(Vpn.objects.get(pk=vpn.pk)).checksum
    template = Template.objects.get(vpn=vpn)
    factories.device(organization, config={"templates": [template]})
    assert rules.rendered(Vpn.objects.get(pk=vpn.pk)).checksum != checksum
    assert rendering.render_stale() == 0
    assert Config.objects.get(device=first).desired_id == before


def test_without_automatic_provisioning_a_client_is_given_nothing(
    organization: Organization,
) -> None:
    vpn = factories.openvpn(organization)
    template = factories.vpn_template(vpn, auto_cert=False)
    device = factories.device(organization, config={"templates": [template]})
    client = VpnClient.objects.get(device=device)
    assert (client.cert, client.ip) == (None, None)
    assert f"etc/x509/client-{vpn.pk.hex}.pem" not in of_device(device)
    templates.update_template(template, auto_cert=True)
    rendering.render_stale()
    assert VpnClient.objects.get(device=device).cert is not None
    assert f"etc/x509/client-{vpn.pk.hex}.pem" in of_device(device)


def test_vxlan_clients_have_identifiers_of_their_own_or_the_servers(
    organization: Organization,
) -> None:
    own = factories.vxlan(organization)
    template = factories.vpn_template(own)
    for _ in range(3):
        factories.device(organization, config={"templates": [template]})
    assert list(own.clients.order_by("created").values_list("vni", flat=True)) == [1, 2, 3]
    config = factories.WIREGUARD | {"vxlan": [{"name": "vxlan0", "vni": 77}]}
    shared = factories.vxlan(organization, config=config)
    device = with_template(organization, shared)
    assert "option vid '77'" in of_device(device)["etc/config/network"]
    assert '"vni": 77' in server_files(shared)["vxlan.json"]


def test_a_client_over_ipv6_has_an_ipv6_address(organization: Organization) -> None:
    vpn = factories.wireguard(
        organization, subnet=factories.subnet(organization, "fd00:7::/64")
    )
    device = with_template(organization, vpn)
    assert "'fd00:7::2/128'" in of_device(device)["etc/config/network"]
    assert "AllowedIPs = fd00:7::2/128" in server_files(vpn)["wg0.conf"]


def test_a_full_subnet_is_told_and_the_device_stays_as_it_was(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(
        organization, subnet=factories.subnet(organization, "10.77.0.0/30")
    )
    with_template(organization, vpn)
    device = factories.device(organization, config={})
    with pytest.raises(Refused, match="no free address left"):
        change(device, templates=[Template.objects.get(vpn=vpn)])
    assert not VpnClient.objects.filter(device=device, ip__isnull=False).exists()


def test_a_renewed_certificate_reaches_the_device(organization: Organization) -> None:
    device = with_template(organization, factories.openvpn(organization))
    cert = renew(VpnClient.objects.get().cert)
    assert follow_certificates() == 1
    rendering.render_stale()
    assert cert.certificate in "".join(of_device(device).values())
    assert follow_certificates() == 0


def test_a_renewed_authority_reaches_servers_and_devices(organization: Organization) -> None:
    vpn = factories.openvpn(organization)
    device = with_template(organization, vpn)
    rules.rendered(Vpn.objects.get(pk=vpn.pk))
    ca = renew_ca(vpn.ca)
    assert follow_certificates() == 1
    rendering.render_stale()
    assert ca.certificate in "".join(of_device(device).values())
    assert ca.certificate == server_files(vpn)["ca.pem"]


def test_in_another_organization_a_device_gets_another_certificate(
    organization: Organization,
) -> None:
    vpn = factories.openvpn(None)
    device = with_template(organization, vpn)
    old = VpnClient.objects.get().cert
    other = factories.organization()
    inventory.update_device(Device.objects.get(pk=device.pk), organization=other)
    old.refresh_from_db()
    assert old.revoked
    new = VpnClient.objects.get().cert
    assert (new.pk, new.organization) != (old.pk, organization)
    assert new.organization == other
    assert new.certificate in "".join(of_device(device).values())


@pytest.mark.long
def test_a_template_that_becomes_default_joins_a_thousand_devices_in_batches(
    organization: Organization,
) -> None:
    vpn = factories.wireguard(
        organization, subnet=factories.subnet(organization, "10.128.0.0/16")
    )
    template = factories.vpn_template(vpn)
    for _ in range(3):
        factories.device(organization, config={})
    many_devices(organization, 1000)
    with CaptureQueriesContext(connection) as queries:
        templates.update_template(template, default=True)
    assert len(queries) < 60, "joining is not done in bulk"
    assert VpnClient.objects.count() == 1003
    assert not VpnClient.objects.filter(is_ready=True).exists()
    with CaptureQueriesContext(connection) as queries:
        rendering.render_stale()
    assert len(queries) < 1003, "provisioning is not done in batches"
    assert VpnClient.objects.filter(is_ready=True, ip__isnull=False).count() == 1003
    assert server_files(vpn)["wg0.conf"].count("[Peer]") == 1003
    templates.delete_template(Template.objects.get(pk=template.pk))
    assert not VpnClient.objects.exists()


def many_devices(organization: Organization, many: int) -> None:
    devices = Device.objects.bulk_create(
        Device(
            organization=organization, name=f"many-{n}", key=f"key{n}", key_digest=f"{n}",
            mac_address=f"0a:00:00:00:{n // 256:02x}:{n % 256:02x}",
        )
        for n in range(many)
    )  # fmt: skip
    Config.objects.bulk_create(Config(device=device) for device in devices)


def test_nobody_is_provisioned_twice(organization: Organization) -> None:
    device = with_template(organization, factories.wireguard(organization))
    client = VpnClient.objects.get()
    assert rules.provision([device.pk]) == {}
    again = VpnClient.objects.get()
    assert (again.private_key, again.ip) == (client.private_key, client.ip)


def test_the_private_keys_are_encrypted_in_the_database(organization: Organization) -> None:
    with_template(organization, factories.wireguard(organization))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.private_key, v.private_key, v.key FROM vpn_vpnclient c, vpn_vpn v"
        )
        stored = str(cursor.fetchall())
    client = VpnClient.objects.select_related("vpn").get()
    for secret in (client.private_key, client.vpn.private_key, client.vpn.key):
        assert secret
        assert secret not in stored
    assert client.private_key not in repr(client) + repr(client.vpn) + repr(client.vpn.facts)


def test_a_device_that_registers_has_its_certificate_in_the_first_download(
    organization: Organization, client: Any
) -> None:
    vpn = factories.openvpn(organization)
    factories.vpn_template(vpn, required=True)
    answer = client.post(
        "/controller/register/",
        {
            "secret": factories.shared_secret(organization),
            "name": "02-aa-f4-09-e0-c0",
            "mac_address": "02:aa:f4:09:e0:c0",
            "backend": "netjsonconfig.OpenWrt",
        },
    )
    told = dict(line.split(": ") for line in answer.content.decode().splitlines())
    path = f"/controller/download-config/{told['uuid']}/"
    files = unpacked(client.get(path, {"key": told["key"]}).content)
    cert = VpnClient.objects.get().cert
    assert files[f"etc/x509/client-{vpn.pk.hex}.pem"].strip() == cert.certificate.strip()
    assert cert.common_name.startswith("02:AA:F4") or cert.common_name.startswith("02:aa:f4")
