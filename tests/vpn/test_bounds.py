"""Certificates, names and bounds of VPN servers, each at its edge."""

import pytest

from controller.accounts.models import Organization
from controller.configs.rules.vpn_servers import update_vpn
from controller.vpn.models import Vpn, VpnClient
from controller.vpn.rules import rendering, server_sync, servers
from pki.models import Cert
from pki.rules import renew_ca
from tests import factories

pytestmark = pytest.mark.django_db


def test_a_server_without_a_new_certificate_keeps_its_own(organization: Organization) -> None:
    vpn = factories.openvpn(organization, name="Head office")
    assert vpn.cert.common_name == "head-office"
    own = vpn.cert
    update_vpn(vpn, notes="moved")
    update_vpn(vpn, cert=None)
    assert Vpn.objects.get().cert == own
    other = factories.cert(vpn.ca)
    update_vpn(vpn, cert=other)
    assert Vpn.objects.get().cert == other
    own.refresh_from_db()
    assert own.revoked
    assert Cert.objects.count() == 2


def test_a_renewed_authority_names_the_devices_to_render(organization: Organization) -> None:
    vpn = factories.openvpn(organization)
    template = factories.vpn_template(vpn)
    device = factories.device(organization, config={"templates": [template]})
    client = VpnClient.objects.get(device=device)
    assert client.is_ready
    assert rendering.follow_certificates() == set()
    renew_ca(vpn.ca)
    assert rendering.follow_certificates() == {device.pk}
    assert rendering.follow_certificates() == set()


def test_random_names_fit_into_a_certificate() -> None:
    assert len(servers.random_common_name("x" * 100)) == 64


def test_the_reason_of_a_failure_fits_into_its_column() -> None:
    assert Vpn._meta.get_field("trouble").max_length == server_sync.TROUBLE_LENGTH
