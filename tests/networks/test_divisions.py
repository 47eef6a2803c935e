from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from controller.accounts.models import Organization
from controller.base.errors import Conflict, Refused
from controller.configs.models import Config
from controller.configs.rules import devices as inventory
from controller.configs.rules import rendering, subnet_division
from controller.devices.models import Device
from controller.vpn.models import VpnClient
from networks.ipam.models import Division, DivisionRule, IpAddress, Subnet
from networks.ipam.rules import add_address, divide
from tests import factories
from tests.vpn.test_clients import many_devices


def rule(organization: Organization, subnet: Subnet, **values: Any) -> DivisionRule:
    return subnet_division.create_division_rule(
        organization=organization,
        master_subnet=subnet,
        **{"label": "lan", "size": 28, "number_of_subnets": 2, "number_of_ips": 2} | values,
    )


def variables(device: Device) -> dict[str, str]:
    config = rendering.with_inputs().get(device=device)
    found = rendering.inputs_of(config).variables
    return {name: one.value for name, one in found.items() if one.origin == "subnets"}


def test_a_device_gets_subnets_of_its_own_and_variables_to_speak_of_them(
    organization: Organization,
) -> None:
    rule(organization, factories.subnet(organization, "10.8.0.0/24"))
    template = factories.template(
        organization, config=factories.a_file("{{ lan_subnet2_ip1 }}\n")
    )
    device = factories.device(organization, config={"templates": [template]})
    assert variables(device) == {
        "lan_prefixlen": "28",
        "lan_subnet1": "10.8.0.16/28",
        "lan_subnet1_ip1": "10.8.0.17",
        "lan_subnet1_ip2": "10.8.0.18",
        "lan_subnet2": "10.8.0.32/28",
        "lan_subnet2_ip1": "10.8.0.33",
        "lan_subnet2_ip2": "10.8.0.34",
    }
    assert Config.objects.get(device=device).render_error == ""
    other = factories.device(organization, config={})
    assert variables(other)["lan_subnet1"] == "10.8.0.48/28"


def test_a_rule_reaches_devices_that_are_there_and_its_end_takes_all_back(
    organization: Organization,
) -> None:
    device = factories.device(organization, config={})
    stranger = factories.device(factories.organization(), config={})
    subnet = factories.subnet(organization, "10.8.0.0/24")
    made = rule(organization, subnet)
    rendering.render_stale()
    assert len(variables(device)) == 7
    assert variables(stranger) == {}
    subnet_division.delete_division_rule(made)
    assert list(Subnet.objects.all()) == [subnet]
    assert not IpAddress.objects.exists()
    rendering.render_stale()
    assert variables(device) == {}


def test_a_deactivated_device_gives_its_subnets_back(organization: Organization) -> None:
    rule(organization, factories.subnet(organization, "10.8.0.0/24"))
    device = factories.device(organization, config={})
    inventory.deactivate(device)
    assert not Division.objects.exists()
    assert factories.device(organization, config={})
    assert Division.objects.first().subnet.subnet == "10.8.0.16/28"
    inventory.delete_device(Device.objects.get(pk=device.pk), force=True)


def test_blocks_with_addresses_that_are_taken_are_left_out(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.8.0.0/24")
    add_address(subnet=subnet, ip_address="10.8.0.20")
    rule(organization, subnet, number_of_subnets=1)
    device = factories.device(organization, config={})
    assert variables(device)["lan_subnet1"] == "10.8.0.32/28"


def test_a_full_subnet_is_told_on_the_device(organization: Organization) -> None:
    rule(organization, factories.subnet(organization, "10.8.0.0/26"), number_of_subnets=3)
    factories.device(organization, config={})
    with pytest.raises(Refused, match="0 free parts of /28, and 3 are needed"):
        factories.device(organization, config={})


def test_a_vpn_client_has_its_first_own_address_and_loses_it_with_the_template(
    organization: Organization,
) -> None:
    subnet = factories.subnet(organization, "10.8.0.0/16")
    vpn = factories.wireguard(organization, subnet=subnet)
    made = rule(organization, subnet, type="vpn")
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    client = VpnClient.objects.get()
    assert str(client.ip) == variables(device)["lan_subnet1_ip1"] == "10.8.0.17"
    with pytest.raises(Conflict, match="VPN clients have addresses"):
        subnet_division.delete_division_rule(made)
    inventory.update_device(Device.objects.get(pk=device.pk), config={"templates": []})
    assert not Division.objects.exists()
    subnet_division.delete_division_rule(made)


def test_a_vpn_rule_reaches_clients_that_are_there_and_leaves_their_address(
    organization: Organization,
) -> None:
    subnet = factories.subnet(organization, "10.8.0.0/16")
    for server in (
        factories.wireguard(organization, subnet=subnet),
        factories.openvpn(organization),
    ):
        template = factories.vpn_template(server)
        factories.device(organization, config={"templates": [template]})
    device = Device.objects.last()
    client = VpnClient.objects.get(vpn__subnet=subnet)
    before = client.ip
    rule(organization, subnet, type="vpn")
    rendering.render_stale()
    client.refresh_from_db()
    assert (client.ip, client.is_ready) == (before, True)
    assert len(variables(client.device)) == 7
    assert device is not None


@pytest.mark.parametrize(
    ("values", "field"),
    [({"size": 16}, "size"), ({"size": 33}, "size"), ({"label": "a b"}, "label"),
     ({"number_of_ips": 17}, "number_of_ips"), ({"number_of_subnets": 0}, "number_of_subnets")],
)  # fmt: skip
def test_a_rule_that_cannot_work_is_refused(
    organization: Organization, values: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refused) as refused:
        rule(organization, factories.subnet(organization, "10.8.0.0/16"), **values)
    assert field in refused.value.by_field


def test_a_rule_is_renamed_and_grows_and_nothing_else(organization: Organization) -> None:
    made = rule(organization, factories.subnet(organization, "10.8.0.0/24"))
    device = factories.device(organization, config={})
    for values in ({"size": 29}, {"number_of_subnets": 3}, {"number_of_ips": 1}):
        with pytest.raises(Refused):
            subnet_division.update_division_rule(made, **values)
        made.refresh_from_db()
    subnet_division.update_division_rule(made, label="net", number_of_ips=3)
    rendering.render_stale()
    assert variables(device)["net_subnet2_ip3"] == "10.8.0.35"
    assert Division.objects.first().subnet.name == "net_subnet1"


def test_a_rule_for_many_devices_costs_few_queries(organization: Organization) -> None:
    for _ in range(3):
        factories.device(organization, config={})
    many_devices(organization, 200)
    made = rule(organization, factories.subnet(organization, "10.0.0.0/8"))
    devices = list(Device.objects.values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as queries:
        divide(made, devices)
    assert Division.objects.count() == 406
    assert len(queries) < 30


def test_rules_are_made_on_the_page_of_a_subnet(organization: Organization) -> None:
    subnet = factories.subnet(organization, "10.8.0.0/24", name="lab")
    client = Client()
    client.force_login(factories.user(organization, "org_admin", is_staff=True))
    sent = {
        "name": "lab", "organization": str(organization.pk), "subnet": "10.8.0.0/24",
        "master_subnet": "", "description": "",
        "division_rules-TOTAL_FORMS": "1", "division_rules-INITIAL_FORMS": "0",
        "division_rules-0-organization": str(organization.pk),
        "division_rules-0-type": "device", "division_rules-0-label": "lan",
        "division_rules-0-number_of_subnets": "1", "division_rules-0-size": "28",
        "division_rules-0-number_of_ips": "1",
    }  # fmt: skip
    answer = client.post(f"/admin/networks/subnet/{subnet.pk}/change/", sent)
    assert answer.status_code == 302, answer.content.decode()
    assert DivisionRule.objects.get().label == "lan"
