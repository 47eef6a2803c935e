"""Factories of rows for tests, with defaults for irrelevant values."""

import io
import itertools
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.gis.geos import Point
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from PIL import Image

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import issue_token
from controller.base.secrets import digest
from controller.configs.models import Backend, Template
from controller.configs.rules import devices, groups, templates
from controller.connections.models import Credentials, DeviceConnection
from controller.connections.rules import connect, create_credentials
from controller.devices.models import Device, DeviceGroup
from controller.devices.rules import settings_of
from controller.vpn.models import Vpn
from controller.vpn.rules import create_vpn
from geo.models import FloorPlan, Location
from geo.rules.device_locations import place_device
from geo.rules.locations import create_floor_plan, create_location
from networks.gateways.models import Gateway
from networks.gateways.rules.gateways import create_gateway
from networks.ipam.models import Subnet
from networks.ipam.rules import create_subnet
from networks.overlay.engine.keys import wireguard_pair
from networks.overlay.models import Member, Network, Node, Share
from networks.overlay.rules import accept, add_share, create_network, shares
from networks.overlay.rules.members import add
from networks.overlay.rules.plans import new_node
from pki.models import Ca, Cert
from pki.rules import create_ca, issue
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.supervisors import add_supervisor

_count = itertools.count(1)


def organization(name: str = "", **values: Any) -> Organization:
    name = name or f"Organization {next(_count)}"
    return Organization.objects.create(name=name, slug=name.lower().replace(" ", "-"), **values)


def shared_secret(organization: Organization) -> str:
    return settings_of(organization).shared_secret


def user(
    organization: Organization | None = None, role: str = "org_admin", **values: Any
) -> User:
    name = values.pop("username", f"user{next(_count)}")
    row = User.objects.create_user(
        name,
        values.pop("email", f"{name}@example.org"),
        values.pop("password", "a good password"),
        **values,
    )
    EmailAddress.objects.create(user=row, email=row.email, verified=True, primary=True)
    if organization is not None:
        Membership.objects.create(user=row, organization=organization, role=role)
    return row


def superuser(**values: Any) -> User:
    return user(is_superuser=True, is_staff=True, **values)


def bearer(user: User) -> dict[str, str]:
    """Return request headers with a token of this user."""
    return {"Authorization": f"Bearer {issue_token(user, name='tests')}"}


def mac() -> str:
    number = next(_count)
    return f"02:00:00:00:{number // 256:02X}:{number % 256:02X}"


def device(
    organization: Organization, *, config: dict[str, Any] | None = None, **values: Any
) -> Device:
    address = values.pop("mac_address", mac())
    return devices.create_device(
        organization=organization,
        name=values.pop("name", f"device-{address.replace(':', '-')}"),
        mac_address=address,
        config=config,
        **values,
    )


def group(organization: Organization, **values: Any) -> DeviceGroup:
    return groups.create_group(
        organization=organization, name=values.pop("name", f"group {next(_count)}"), **values
    )


def a_file(contents: str, path: str = "etc/motd", mode: str = "0644") -> dict[str, Any]:
    return {"files": [{"path": path, "mode": mode, "contents": contents}]}


def template(organization: Organization | None, **values: Any) -> Template:
    return templates.create_template(
        organization=organization,
        **{
            "name": f"template {next(_count)}",
            "backend": Backend.OPENWRT,
            "config": a_file("hello {{ name }}\n"),
        }
        | values,
    )


def credentials(organization: Organization | None, **values: Any) -> Credentials:
    return create_credentials(
        organization=organization,
        **{
            "name": f"credentials {next(_count)}",
            "params": {"username": "root", "password": "a secret password"},
        }
        | values,
    )


def connection(device: Device, credentials: Credentials, **values: Any) -> DeviceConnection:
    return connect(
        device, credentials=credentials, **{"update_strategy": "linux-files"} | values
    )


def ca(organization: Organization | None = None, **values: Any) -> Ca:
    """Create a root CA with a P-256 key, which is fast to generate."""
    name = values.pop("name", f"CA {next(_count)}")
    return create_ca(
        name=name,
        organization=organization,
        **{"key_length": "256", "common_name": name} | values,
    )


def cert(ca: Ca, **values: Any) -> Cert:
    name = values.pop("name", f"certificate {next(_count)}")
    wanted = {"key_length": "256", "common_name": name, "organization": ca.organization}
    return issue(ca, name=name, **wanted | values)


def png(width: int = 60, height: int = 40, color: str = "white") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), color).save(out, "PNG")
    return out.getvalue()


def upload(data: bytes | None = None, name: str = "floorplan.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, png() if data is None else data)


def location(organization: Organization, **values: Any) -> Location:
    longitude, latitude = values.pop("at", (12.5, 41.9))
    return create_location(
        organization=organization,
        **{
            "name": f"location {next(_count)}",
            "type": Location.Type.INDOOR,
            "geometry": Point(longitude, latitude, srid=4326),
        }
        | values,
    )


def floor_plan(location: Location, floor: int = 0, **values: Any) -> FloorPlan:
    return create_floor_plan(location=location, floor=floor, **{"image": upload()} | values)


def placed(location: Location, *, name: str = "", **values: Any) -> Device:
    """Create a device at this location."""
    row = device(location.organization, **({"name": name} if name else {}))
    place_device(row, location=location, **values)
    return row


def subnet(organization: Organization | None, network: str = "", **values: Any) -> Subnet:
    number = next(_count)
    return create_subnet(
        organization=organization,
        subnet=network or f"10.{number // 256}.{number % 256}.0/24",
        **{"name": f"subnet {number}"} | values,
    )


OPENVPN = {
    "openvpn": [
        {
            "name": "tun0",
            "mode": "server",
            "proto": "udp",
            "port": 1194,
            "dev": "tun0",
            "dev_type": "tun",
            "ca": "ca.pem",
            "cert": "cert.pem",
            "key": "key.pem",
            "dh": "dh.pem",
            "server": "10.8.0.0 255.255.0.0",
            "tls_server": True,
        }
    ]
}
WIREGUARD = {"wireguard": [{"name": "wg0", "port": 51820}]}


def openvpn(organization: Organization | None, **values: Any) -> Vpn:
    return create_vpn(
        organization=organization,
        **{
            "name": f"server {next(_count)}",
            "host": "vpn.example.org",
            "backend": Vpn.Backend.OPENVPN,
            "ca": values.get("ca") or ca(organization),
            "config": OPENVPN,
        }
        | values,
    )


def wireguard(organization: Organization | None, **values: Any) -> Vpn:
    return create_vpn(
        organization=organization,
        **{
            "name": f"server {next(_count)}",
            "host": "vpn.example.org",
            "backend": Vpn.Backend.WIREGUARD,
            "subnet": values.get("subnet") or subnet(organization),
            "config": WIREGUARD,
        }
        | values,
    )


def vxlan(organization: Organization | None, **values: Any) -> Vpn:
    config = WIREGUARD | {"vxlan": [{"name": "vxlan0"}]}
    return wireguard(organization, **{"backend": Vpn.Backend.VXLAN, "config": config} | values)


def vpn_template(vpn: Vpn, **values: Any) -> Template:
    return template(vpn.organization, **{"type": "vpn", "vpn": vpn, "config": {}} | values)


def supervisor(stand_in: Any, organization: Organization, **values: Any) -> Supervisor:
    """Create a device with this stand-in as its supervisor."""
    values.setdefault("device", device(organization))
    values.setdefault("app_id", getattr(stand_in, "app_id", None))
    values.setdefault("version", stand_in.version)
    return add_supervisor(
        **{"address": stand_in.host, "port": stand_in.port, "key": stand_in.key} | values
    )


def network(owner: User, name: str = "") -> Network:
    return create_network(owner, name=name or f"network {next(_count)}")


def share(network: Network, user: User, permissions: str = "member") -> Share:
    """Share a network with a user, who has accepted."""
    row = add_share(network, by=network.owner, email=user.email, permissions=permissions)
    accept(user, shares.token_of(row))
    row.refresh_from_db()
    return row


def node(owner: User | None, name: str = "", **values: Any) -> Node:
    """Create an overlay node with a recent heartbeat."""
    _, public = wireguard_pair()
    row = new_node(
        public,
        owner=owner,
        name=name or f"node-{next(_count)}",
        **{"last_seen": timezone.now(), "token_digest": digest(public)} | values,
    )
    row.save()
    return row


def member(
    network: Network, owner: User | None = None, name: str = "", **values: Any
) -> Member:
    owner = owner or network.owner
    return add(network, node(owner, name, **values), by=owner)


def gateway(
    organization: Organization, url: str = "https://192.0.2.1", **values: Any
) -> Gateway:
    return create_gateway(
        organization=organization,
        **{
            "name": f"gateway {next(_count)}",
            "url": url,
            "key": "key-of-the-portal",
            "secret": "secret-of-the-portal",
        }
        | values,
    )
