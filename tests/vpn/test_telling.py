from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from controller.accounts.models import Organization, Version
from controller.base.errors import Conflict, Refused
from controller.configs.models import Template
from controller.configs.rules import devices as inventory
from controller.configs.rules import versions
from controller.configs.rules.templates import delete_template
from controller.configs.rules.vpn_servers import update_vpn
from controller.devices.models import Device
from controller.vpn import rules
from controller.vpn.models import Vpn, VpnClient
from controller.vpn.rules.servers import moved_network
from tests import factories
from tests.fleet.zerotier import ZeroTier, zerotier
from tests.vpn.test_clients import of_device, unpacked

# Format of the real tool: member id, a zero, public and private key.
IDTOOL = """#!/bin/sh
[ "$1" = generate ] || exit 1
id=$(od -An -N5 -tx1 /dev/urandom | tr -d ' \\n')
printf '%s:0:%s:%s' "$id" aabbcc "private-$id"
"""


@pytest.fixture
def server() -> Iterator[ZeroTier]:
    with zerotier() as running:
        yield running


@pytest.fixture
def idtool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "zerotier-idtool"
    tool.write_text(IDTOOL)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")


def network(organization: Organization, server: ZeroTier, **values: Any) -> Vpn:
    return rules.create_vpn(
        organization=organization,
        **{
            "name": "mesh",
            "host": server.host,
            "backend": Vpn.Backend.ZEROTIER,
            "auth_token": server.token,
            "subnet": values.get("subnet") or factories.subnet(organization, "10.147.0.0/24"),
            "config": {"zerotier": [{"private": True}]},
        }
        | values,
    )


def test_a_zerotier_server_is_a_network_of_its_controller(
    organization: Organization, server: ZeroTier, django_capture_on_commit_callbacks: Any
) -> None:
    vpn = network(organization, server)
    told = server.networks[vpn.network_id]
    assert told["name"] == "mesh"
    assert told["routes"] == [{"target": "10.147.0.0/24", "via": None}]
    assert vpn.network_id in "".join(unpacked(rules.rendered(vpn).archive))
    update_vpn(vpn, config={"zerotier": [{"private": False}]})
    assert rules.sync_servers() == 1
    assert server.networks[vpn.network_id]["private"] is False
    with django_capture_on_commit_callbacks(execute=True):
        rules.delete_vpn(Vpn.objects.get(pk=vpn.pk))
    assert not server.networks


def test_a_server_that_moves_to_another_controller_gets_a_network_there(
    organization: Organization, server: ZeroTier, idtool: None
) -> None:
    vpn = network(organization, server)
    factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    assert VpnClient.objects.update(is_told=True) == 1
    with zerotier() as other:
        moved = update_vpn(vpn, host=other.host, auth_token=other.token)
        assert list(other.networks) == [moved.network_id]
        with pytest.raises(Refused):
            update_vpn(Vpn.objects.get(), host=server.host, auth_token="wrong")
    assert Vpn.objects.get().host == other.host
    assert not VpnClient.objects.filter(is_told=True).exists()


def test_a_network_that_was_made_for_a_refused_change_is_deleted_again(
    organization: Organization, server: ZeroTier
) -> None:
    vpn = network(organization, server)
    with zerotier() as other:
        values = {"host": other.host, "auth_token": other.token}
        with pytest.raises(Refused), moved_network(vpn, values) as network_there:
            rules.update_vpn(vpn, network=network_there, **values, name="")
        assert ("POST", "/controller/network/0123456789______") in other.requests
        assert not other.networks


def test_a_change_that_another_one_overtook_is_a_conflict(
    organization: Organization, server: ZeroTier
) -> None:
    vpn = network(organization, server)
    with pytest.raises(Conflict):
        rules.update_vpn(vpn, host="127.0.0.1:1", auth_token=server.token)


@pytest.mark.django_db(transaction=True)
def test_pages_ask_the_controller_outside_of_a_transaction(
    admin_client: Any, organization: Organization, server: ZeroTier
) -> None:
    subnet = factories.subnet(organization, "10.147.0.0/24")
    sent = {
        "name": "mesh", "organization": organization.pk, "host": server.host,
        "backend": Vpn.Backend.ZEROTIER.value, "subnet": subnet.pk, "auth_token": server.token,
        "config": '{"zerotier": [{"private": true}]}', "key": "", "ca": "", "notes": "",
        "webhook_endpoint": "",
    }  # fmt: skip
    answer = admin_client.post("/admin/vpn/vpn/add/", sent)
    assert answer.status_code == 302, answer.context["errors"]
    vpn = Vpn.objects.get()
    with zerotier() as other:
        other.token = "another-token"
        page = f"/admin/vpn/vpn/{vpn.pk}/change/"
        changed = sent | {"host": other.host, "auth_token": other.token}
        answer = admin_client.post(page, changed)
        assert answer.status_code == 302, answer.context["errors"]
        assert list(other.networks) == [Vpn.objects.get().network_id]
    delete = admin_client.post(f"/admin/vpn/vpn/{vpn.pk}/delete/", {"post": "yes"})
    assert delete.status_code == 302
    assert not Vpn.objects.exists()
    # Back to the first version, on the first controller.
    versions.restore(Version.objects.filter(kind="vpn").earliest("number"))
    assert Vpn.objects.get().network_id in server.networks


def test_a_zerotier_server_whose_controller_is_gone_can_be_deleted(
    organization: Organization, server: ZeroTier, django_capture_on_commit_callbacks: Any
) -> None:
    vpn = network(organization, server)
    server.__exit__(None, None, None)
    with django_capture_on_commit_callbacks(execute=True):
        rules.delete_vpn(vpn)
    assert not Vpn.objects.exists()


@pytest.mark.usefixtures("idtool")
def test_members_come_and_go_with_their_devices(
    organization: Organization, server: ZeroTier
) -> None:
    vpn = network(organization, server)
    template = factories.vpn_template(vpn)
    devices = [
        factories.device(organization, config={"templates": [template]}) for _ in range(2)
    ]
    rules.sync_servers()
    members = server.members[vpn.network_id]
    clients = {one.secret[:10]: one for one in VpnClient.objects.select_related("ip")}
    assert members == {
        name: {"authorized": True, "activeBridge": True, "ipAssignments": [str(client.ip)]}
        for name, client in clients.items()
    }
    text = of_device(devices[0])["etc/config/zerotier"]
    assert f"list join '{vpn.network_id}'" in text
    assert "private-" in text
    server.requests.clear()
    inventory.deactivate(Device.objects.get(pk=devices[0].pk))
    rules.sync_servers()
    left = VpnClient.objects.get().secret[:10]
    assert list(server.members[vpn.network_id]) == [left]
    assert (
        "POST",
        f"/controller/network/{vpn.network_id}/member/{left}",
    ) not in server.requests
    delete_template(Template.objects.get())


@pytest.mark.usefixtures("idtool")
def test_a_device_has_one_identity_in_all_networks(
    organization: Organization, server: ZeroTier
) -> None:
    one = network(organization, server)
    two = network(organization, server, name="two", subnet=factories.subnet(organization))
    chosen = [factories.vpn_template(one), factories.vpn_template(two)]
    factories.device(organization, config={"templates": chosen})
    assert len({client.secret for client in VpnClient.objects.all()}) == 1


def test_without_the_tool_for_identities_the_reason_is_told(
    organization: Organization, server: ZeroTier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    template = factories.vpn_template(network(organization, server))
    with pytest.raises(Refused, match="zerotier-one"):
        factories.device(organization, config={"templates": [template]})


@pytest.mark.parametrize(
    ("values", "field"),
    [({"auth_token": "wrong"}, "auth_token"), ({"host": "127.0.0.1:1"}, "host"),
     ({"auth_token": ""}, "auth_token"), ({"host": "bad host"}, "host")],
)  # fmt: skip
def test_a_controller_that_cannot_be_used_is_refused_under_its_field(
    organization: Organization, server: ZeroTier, values: Any, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        network(organization, server, **values)
    assert list(refused.value.by_field) == [field]
    assert not Vpn.objects.exists()


def test_a_controller_that_breaks_is_asked_again_later(
    organization: Organization, server: ZeroTier
) -> None:
    vpn = network(organization, server)
    server.broken = 500
    assert rules.sync_servers() == 0
    vpn.refresh_from_db()
    assert "status 500" in vpn.trouble
    server.broken = None
    assert rules.sync_servers() == 0, "it was asked again at once"
    with time_machine.travel(timezone.now() + timedelta(minutes=2)):
        assert rules.sync_servers() == 1
    vpn.refresh_from_db()
    assert vpn.trouble == ""


def test_a_server_with_a_webhook_hears_of_every_change_once(
    organization: Organization, server: ZeroTier
) -> None:
    vpn = factories.wireguard(
        organization,
        webhook_endpoint=f"http://{server.host}/trigger-update",
        auth_token=server.token,
    )
    assert rules.sync_servers() == 1
    assert rules.sync_servers() == 0
    template = factories.vpn_template(vpn)
    factories.device(organization, config={"templates": [template]})
    assert rules.sync_servers() == 1
    assert server.calls == [{"key": [server.token]}] * 2


def test_the_trouble_with_a_webhook_is_told_without_its_token(
    organization: Organization, server: ZeroTier, caplog: pytest.LogCaptureFixture
) -> None:
    for url in ("http://127.0.0.1:1/x", f"http://{server.host}/trigger-update"):
        vpn = factories.wireguard(
            organization, webhook_endpoint=url, auth_token="a-token-that-is-wrong"
        )
        assert rules.sync_servers() == 0
        vpn.refresh_from_db()
        assert vpn.trouble
        assert "a-token" not in vpn.trouble + caplog.text
