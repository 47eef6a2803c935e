import hashlib
import json
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.base.masking import looks_secret
from controller.configs.models import Template
from controller.configs.rules import rendering
from controller.vpn.models import Vpn, VpnClient
from networks.ipam.models import IpAddress
from pki.models import Cert
from pki.rules import revoke
from tests import factories
from tests.vpn.test_clients import of_device, unpacked

ROOT = "/api/v1/controller"


def agent(client: Any, vpn: Vpn, what: str, key: str | None = None) -> Any:
    sent = {"key": vpn.key if key is None else key} if key != "" else {}
    return client.get(f"/controller/vpn/{what}/{vpn.pk}/", sent)


@pytest.mark.parametrize("kind", ["openvpn", "wireguard", "vxlan"])
def test_33_a_changed_server_has_a_new_checksum_on_the_next_call(
    organization: Organization, admin: Any, api: Any, client: Any, kind: str
) -> None:
    vpn = getattr(factories, kind)(organization)
    first = agent(client, vpn, "checksum").content
    assert agent(client, vpn, "checksum").content == first
    tunnel = {name: [dict(one) for one in value] for name, value in vpn.config.items()}
    tunnel[vpn.engine.key][0]["port"] = 1200
    answer = api(admin).patch(f"{ROOT}/vpn/{vpn.pk}/", {"config": tunnel}, format="json")
    assert answer.status_code == 200, answer.content
    second = agent(client, vpn, "checksum").content
    assert second != first
    archive = agent(client, vpn, "download-config")
    assert hashlib.md5(archive.content).hexdigest().encode() == second
    assert archive.headers["X-Openwisp-Controller"] == "true"
    assert archive.headers["Content-Disposition"].endswith(".tar.gz")


def test_the_agent_of_a_server_says_its_key(organization: Organization, client: Any) -> None:
    vpn = factories.wireguard(organization)
    for what in ("checksum", "download-config"):
        missing = agent(client, vpn, what, "")
        assert missing.status_code == 400
        assert missing.content == b'error: missing required parameter "key"\n'
        wrong = agent(client, vpn, what, "wrong")
        assert (wrong.status_code, wrong.content) == (403, b"error: wrong key\n")
        assert wrong.headers["X-Openwisp-Controller"] == "true"
        unknown = client.get(f"/controller/vpn/{what}/{'0' * 32}/", {"key": "x"})
        assert unknown.status_code == 404
        assert (
            client.get(f"/controller/vpn/{what}/{vpn.pk.hex}/", {"key": vpn.key}).status_code
            == 200
        )


def test_08_the_servers_of_an_inactive_organization_are_not_there(
    organization: Organization, client: Any
) -> None:
    vpn = factories.wireguard(organization)
    organization.is_active = False
    organization.save()
    assert agent(client, vpn, "checksum").status_code == 404
    assert agent(client, vpn, "download-config").status_code == 404


def test_51_an_operator_makes_no_template_without_an_organization(
    organization: Organization, api: Any
) -> None:
    operator = api(factories.user(organization, "operator"))
    sent = {"name": "x", "backend": "netjsonconfig.OpenWrt", "config": {"general": {}}}
    answer = operator.post(f"{ROOT}/template/", sent, format="json")
    assert answer.status_code in {400, 403}
    assert not Template.objects.exists()


def template(organization: Organization, **values: Any) -> dict[str, Any]:
    return {
        "name": "x", "organization": str(organization.pk), "backend": "netjsonconfig.OpenWrt",
        "type": "vpn", "config": {},
    } | values  # fmt: skip


def test_52_an_empty_generic_template_and_one_with_a_server_are_refused(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(organization)
    generic = template(organization, type="generic")
    answer = api(admin).post(f"{ROOT}/template/", generic, format="json")
    assert answer.status_code == 400
    assert "config" in answer.json()
    for sent in (generic | {"vpn": str(vpn.pk)}, template(organization)):
        answer = api(admin).post(f"{ROOT}/template/", sent, format="json")
        assert answer.status_code == 400
        assert list(answer.json()) == ["vpn"]


def test_53_an_operator_uses_a_shared_server_and_an_administrator_a_shared_authority(
    organization: Organization, api: Any
) -> None:
    shared = factories.openvpn(None)
    operator = api(factories.user(organization, "operator"))
    sent = template(organization, vpn=str(shared.pk))
    assert operator.post(f"{ROOT}/template/", sent, format="json").status_code == 201
    manager = api(factories.user(organization, "org_admin"))
    sent = {
        "name": "mine", "host": "h", "organization": str(organization.pk),
        "backend": Vpn.Backend.OPENVPN, "ca": shared.ca_id, "config": factories.OPENVPN,
    }  # fmt: skip
    assert manager.post(f"{ROOT}/vpn/", sent, format="json").status_code == 201


def test_a_template_and_its_server_belong_together(
    organization: Organization, admin: Any, api: Any
) -> None:
    foreign = factories.openvpn(factories.organization())
    sent = template(organization, vpn=str(foreign.pk))
    answer = api(admin).post(f"{ROOT}/template/", sent, format="json")
    assert answer.status_code == 400
    assert "organization" in answer.json()
    manager = api(factories.user(organization, "org_admin"))
    assert "vpn" in manager.post(f"{ROOT}/template/", sent, format="json").json()


def test_54_a_patch_of_a_groups_templates_moves_its_devices_from_server_to_server(
    organization: Organization, admin: Any, api: Any
) -> None:
    old, new = (factories.vpn_template(factories.openvpn(organization)) for _ in range(2))
    group = factories.group(organization, templates=[old])
    device = factories.device(organization, group=group)
    assert VpnClient.objects.get(device=device).vpn == old.vpn
    sent = {"templates": [str(new.pk)]}
    answer = api(admin).patch(f"{ROOT}/group/{group.pk}/", sent, format="json")
    assert answer.json()["templates"] == [str(new.pk)]
    assert VpnClient.objects.get(device=device).vpn == new.vpn


def test_55_a_common_name_leads_to_the_group(
    organization: Organization, admin: Any, api: Any
) -> None:
    group = factories.group(organization)
    vpn = factories.openvpn(organization)
    factories.device(
        organization, group=group, config={"templates": [factories.vpn_template(vpn)]}
    )
    cert = VpnClient.objects.get().cert
    path = f"{ROOT}/cert/{cert.common_name}/group/"
    client = api(admin)
    assert client.get(path).json()["id"] == str(group.pk)
    assert client.get(path, {"org": f"other,{organization.slug}"}).status_code == 200
    assert client.get(path, {"org": "other"}).status_code == 404
    assert client.get(f"{ROOT}/cert/unknown/group/").json() == {"detail": "Not found."}
    assert client.get(f"{ROOT}/cert/{vpn.cert.common_name}/group/").status_code == 404
    stranger = api(factories.user(factories.organization(), "org_admin"))
    assert stranger.get(path).status_code == 404
    assert api(None).get(path).status_code == 401
    revoke(cert)
    assert client.get(path).status_code == 404


def test_the_secrets_of_a_server_are_for_those_who_may_read_them(
    organization: Organization, api: Any
) -> None:
    vpn = factories.wireguard(organization, auth_token="a-token-of-the-webhook")
    path = f"{ROOT}/vpn/{vpn.pk}/"
    shown = api(factories.user(organization, "operator")).get(path).json()
    assert (shown["key"], shown["auth_token"]) == (None, None)
    listed = api(factories.user(organization, "operator")).get(f"{ROOT}/vpn/").json()
    assert listed["results"][0]["key"] is None
    assert "auth_token" not in listed["results"][0]
    manager = api(factories.user(organization, "org_admin"))
    shown = manager.get(path).json()
    assert (shown["key"], shown["auth_token"]) == (vpn.key, "a-token-of-the-webhook")
    assert vpn.private_key not in str(shown)
    assert manager.get(f"{path}configuration/").status_code == 200
    for role in ("operator", "viewer"):
        client = api(factories.user(organization, role))
        assert client.get(f"{path}configuration/").status_code == 403


def test_the_names_of_secret_variables_are_known_as_such() -> None:
    assert looks_secret("pvt_key_0123456789abcdef0123456789abcdef")
    assert looks_secret("key_contents_0123456789abcdef0123456789abcdef")
    assert not looks_secret("key_path_0123456789abcdef0123456789abcdef")
    assert not looks_secret("public_key_0123456789abcdef0123456789abcdef")


@pytest.mark.parametrize("role", ["operator", "viewer"])
def test_only_administrators_change_servers(
    organization: Organization, api: Any, role: str
) -> None:
    vpn = factories.wireguard(organization)
    client = api(factories.user(organization, role))
    path = f"{ROOT}/vpn/{vpn.pk}/"
    assert client.get(path).status_code == 200
    assert client.patch(path, {"notes": "x"}, format="json").status_code == 403
    assert client.delete(path).status_code == 403
    assert client.post(f"{ROOT}/vpn/", {}, format="json").status_code == 403


def test_foreign_servers_do_not_exist(organization: Organization, api: Any) -> None:
    vpn = factories.wireguard(organization)
    client = api(factories.user(factories.organization(), "org_admin"))
    for method in ("get", "put", "patch", "delete"):
        assert getattr(client, method)(f"{ROOT}/vpn/{vpn.pk}/").status_code == 404
    assert client.get(f"{ROOT}/vpn/{vpn.pk}/configuration/").status_code == 404


def test_41_the_list_is_filtered_and_filters_combine(
    organization: Organization, admin: Any, api: Any
) -> None:
    one, two = factories.wireguard(organization), factories.openvpn(factories.organization())
    for filters, expected in (
        ({"backend": one.backend}, one),
        ({"subnet": str(one.subnet_id)}, one),
        ({"organization": str(organization.pk)}, one),
        ({"organization_slug": two.organization.slug}, two),
        ({"organization": str(organization.pk), "backend": two.backend}, None),
    ):
        found = api(admin).get(f"{ROOT}/vpn/", filters).json()["results"]
        assert [row["id"] for row in found] == ([str(expected.pk)] if expected else [])
    assert api(admin).get(f"{ROOT}/vpn/", {"backend": "x"}).status_code == 400


BAD = [
    {}, {"openvpn": []}, {"openvpn": [{}]}, {"openvpn": 5}, {"openvpn": [5]}, {"openvpn": [None]},
    {"openvpn": [*factories.OPENVPN["openvpn"], *factories.OPENVPN["openvpn"]]},
    {"openvpn": [factories.OPENVPN["openvpn"][0] | {"name": "../x"}]},
    {"openvpn": [factories.OPENVPN["openvpn"][0] | {"data_ciphers": [{"cipher": "none"}]}]},
    {"openvpn": [factories.OPENVPN["openvpn"][0] | {"port": "x"}]},
    factories.OPENVPN | {"files": [{"path": "../../etc/shadow", "mode": "0644", "contents": "x"}]},
    factories.OPENVPN | {"notes": "\x00"}, factories.OPENVPN | {"notes": ["\ud800"]},
    factories.OPENVPN | {"\x00": 1},
    factories.OPENVPN | {"files": 5}, factories.OPENVPN | {"files": [5]},
]  # fmt: skip


@pytest.mark.parametrize("config", BAD, ids=str)
def test_a_bad_configuration_is_refused_in_words(
    organization: Organization, admin: Any, api: Any, config: Any
) -> None:
    sent = {
        "name": "v", "host": "h", "organization": str(organization.pk),
        "backend": Vpn.Backend.OPENVPN, "ca": factories.ca(organization).pk, "config": config,
    }  # fmt: skip
    body = json.dumps(sent)
    answer = api(admin).generic("POST", f"{ROOT}/vpn/", body, "application/json")
    assert answer.status_code == 400, answer.content
    assert not Vpn.objects.exists()


@pytest.mark.parametrize("field", ["subnet", "ca"])
def test_what_a_backend_needs_is_asked_for(
    organization: Organization, admin: Any, api: Any, field: str
) -> None:
    kind = Vpn.Backend.OPENVPN if field == "ca" else Vpn.Backend.WIREGUARD
    config = factories.OPENVPN if field == "ca" else factories.WIREGUARD
    sent = {"name": "v", "host": "h", "organization": str(organization.pk), "backend": kind}
    answer = api(admin).post(f"{ROOT}/vpn/", sent | {"config": config}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, [field])


def test_another_authority_means_another_certificate_of_the_server(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(organization)
    old, other = vpn.cert, factories.ca(organization)
    sent = {"ca": other.pk}
    answer = api(admin).patch(f"{ROOT}/vpn/{vpn.pk}/", sent, format="json").json()
    vpn.refresh_from_db()
    old.refresh_from_db()
    assert answer["cert"] == vpn.cert_id != old.pk
    assert vpn.cert.ca == other
    assert old.revoked


def test_a_server_with_clients_keeps_its_backend_and_its_subnet(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.wireguard(organization)
    factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    for sent in (
        {"backend": Vpn.Backend.VXLAN},
        {"subnet": str(factories.subnet(organization).pk)},
    ):
        answer = api(admin).patch(f"{ROOT}/vpn/{vpn.pk}/", sent, format="json")
        assert (answer.status_code, list(answer.json())) == (400, list(sent))


def test_a_server_in_use_is_not_deleted_and_another_leaves_nothing(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.wireguard(organization)
    template = factories.vpn_template(vpn)
    path = f"{ROOT}/vpn/{vpn.pk}/"
    answer = api(admin).delete(path)
    assert answer.status_code == 409
    assert template.name in answer.json()["detail"]
    api(admin).delete(f"{ROOT}/template/{template.pk}/")
    assert api(admin).delete(path).status_code == 204
    assert not IpAddress.objects.exists()


def test_a_patch_leaves_the_rest_alone(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(
        organization, webhook_endpoint="https://example.org/x", auth_token="t"
    )
    path = f"{ROOT}/vpn/{vpn.pk}/"
    before = api(admin).get(path).json()
    after = api(admin).patch(path, {"notes": "n"}, format="json").json()
    for shown in (before, after):
        shown.pop("modified")
    assert after == before | {"notes": "n"}


def test_a_template_shows_no_configuration_that_it_does_not_store(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(organization)
    sent = template(organization, vpn=str(vpn.pk))
    row = api(admin).post(f"{ROOT}/template/", sent, format="json").json()
    assert row["config"] == {}
    answer = api(admin).get(f"{ROOT}/template/{row['id']}/configuration/")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/octet-stream"


def test_two_servers_of_one_name_are_refused(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.wireguard(organization)
    with pytest.raises(Exception, match="already"):
        factories.wireguard(None, name=vpn.name)
    with pytest.raises(Exception, match="already"):
        factories.wireguard(organization, name=vpn.name)


def test_two_servers_of_one_key_are_refused(
    organization: Organization, admin: Any, api: Any
) -> None:
    one, two = factories.wireguard(organization), factories.wireguard(organization)
    answer = api(admin).patch(f"{ROOT}/vpn/{two.pk}/", {"key": one.key}, format="json")
    assert (answer.status_code, list(answer.json())) == (400, ["key"])


def test_a_changed_address_reaches_the_server_and_the_device(
    organization: Organization, admin: Any, api: Any, client: Any
) -> None:
    subnet = factories.subnet(organization, "10.6.0.0/24")
    vpn = factories.wireguard(organization, subnet=subnet)
    device = factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    before = agent(client, vpn, "checksum").content
    address = VpnClient.objects.get().ip
    path = f"/api/v1/ipam/ip-address/{address.pk}/"
    assert api(admin).patch(path, {"ip_address": "10.6.0.77"}, format="json").status_code == 200
    assert agent(client, vpn, "checksum").content != before
    rendering.render_stale()
    assert "10.6.0.77/32" in of_device(device)["etc/config/network"]
    other = factories.subnet(organization)
    sent = {"subnet": str(other.pk), "ip_address": str(other.network[9])}
    assert list(api(admin).patch(path, sent, format="json").json()) == ["subnet"]
    assert api(admin).delete(path).status_code == 409
    assert api(admin).delete(f"/api/v1/ipam/subnet/{subnet.pk}/").status_code == 409
    grown = {"subnet": "10.6.0.0/23"}
    path = f"/api/v1/ipam/subnet/{subnet.pk}/"
    assert api(admin).patch(path, grown, format="json").status_code == 200
    with_prefix = agent(client, vpn, "download-config").content
    assert "10.6.0.1/23" in unpacked(with_prefix)["wg0.conf"]


@pytest.mark.parametrize("kind", ["ca", "cert"])
def test_what_is_renewed_through_the_api_is_on_its_way_to_the_device(
    organization: Organization, admin: Any, api: Any, kind: str
) -> None:
    vpn = factories.openvpn(organization)
    device = factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    row = vpn.ca if kind == "ca" else VpnClient.objects.get().cert
    assert api(admin).post(f"{ROOT}/{kind}/{row.pk}/renew/").status_code == 200
    assert rendering.render_stale() == 1
    row.refresh_from_db()
    assert row.certificate in "".join(of_device(device).values())


def test_an_authority_and_a_certificate_in_use_are_not_deleted(
    organization: Organization, admin: Any, api: Any
) -> None:
    vpn = factories.openvpn(organization)
    factories.device(organization, config={"templates": [factories.vpn_template(vpn)]})
    assert api(admin).delete(f"{ROOT}/ca/{vpn.ca_id}/").status_code == 409
    for pk in (vpn.cert_id, VpnClient.objects.get().cert_id):
        assert api(admin).delete(f"{ROOT}/cert/{pk}/").status_code == 409
        cert = Cert.objects.get(pk=pk)
        assert not cert.revoked
