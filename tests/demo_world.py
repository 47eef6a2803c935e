"""An organization with a row of every model in one site, and users of every role."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from django.utils import timezone

from controller.accounts.models import Invitation, Organization, Site, User
from controller.accounts.models.versions import Version
from controller.accounts.rules import api_keys, audit, emails, issue_token, sessions, sites
from controller.accounts.rules.ranks import PORTAL
from controller.configs.models import Rollout, Snapshot
from controller.configs.rules import rollouts
from controller.connections.models import Command, CommandBatch, Terminal
from controller.devices.models import Device, Enrollment
from controller.discovery.models import Scan
from controller.firmware.models import (
    Build,
    Category,
    DeviceFirmware,
    DeviceSystem,
    FirmwareRollout,
    GatewayRollout,
    Image,
    ImageRequest,
    Upgrade,
)
from controller.monitoring.models import Check, Silence, Threshold, WifiSession
from controller.notifications.models import Delivery, Notice, Notification, Webhook
from controller.notifications.rules import preferences
from geo.models import FloorPlan
from geo.rules.device_locations import place_device
from networks.gateways.models import (
    Change,
    ChangeSet,
    Gateway,
    GatewayBackup,
    GatewayBackupPolicy,
    StoredConfiguration,
)
from networks.ipam.rules.addresses import add_address
from networks.overlay.rules import add_share, plans, subnets
from supervisor_proxy.models import (
    BackupPlan,
    Home,
    HomeAlert,
    StoredBackup,
    Supervisor,
    SupervisorBatch,
    SupervisorCall,
    UpdateCampaign,
)
from supervisor_proxy.rules.supervisors import add_supervisor
from tests import factories

# In the order of the columns in access.txt.
ACTORS = (
    "anonymous", "guest", "viewer", "operator", "site_admin", "org_admin", "admin", "super",
    "other", "ungranted", "read", "write", "key",
)  # fmt: skip
NOBODY = str(uuid4())


@dataclass
class World:
    organization: Organization
    site: Site
    # Value of {…} in a route, by the preceding path segment.
    rows: dict[str, Any] = field(default_factory=dict)
    exact: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    people: dict[str, User] = field(default_factory=dict)
    narrowed: User | None = None
    marks: set[str] = field(default_factory=set)

    def path(self, template: str) -> str:
        """Fill the template with the ids of this world's rows."""
        if template in self.exact:
            return self.exact[template]
        return re.sub(r"\{(\w+)\}", lambda at: self.values(template)[at[1]], template)

    def values(self, template: str) -> dict[str, str]:
        """Return the id for each parameter of the template."""
        found: dict[str, str] = {}
        done = ""
        for part in re.split(r"(\{\w+\})", template):
            if not part.startswith("{"):
                done += part
                continue
            known = [key for key in self.rows if done.endswith(f"/{key}/")]
            key = part if part in self.rows else max(known, key=len, default="")
            assert key, f"tests/demo_world.py has no row for {part} after {done}"
            found[part[1:-1]] = str(self.rows[key])
            done += found[part[1:-1]]
        return found


def build() -> World:
    organization = factories.organization("Everything")
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    world = World(organization, site)
    root = factories.superuser(username="root")
    add_people(world, root)
    add_rows(world, root)
    add_homes(world, Supervisor.objects.get(), root)
    world.marks = {str(organization.pk), *map(str, world.rows.values())} - {NOBODY, "oslo"}
    world.marks = {one for one in world.marks if len(one) > 20}
    return world


def add_people(world: World, root: User) -> None:
    def member(role: str, level: str | None = "full") -> User:
        user = factories.user(world.organization, role, is_staff=True)
        if level:
            sites.grant(user.memberships.get(), world.site, level, by=root)
        return User.objects.get(pk=user.pk)

    people = {
        role: member(role)
        for role in ("guest", "viewer", "operator", "site_admin", "org_admin", "admin")
    } | {
        "super": root,
        "other": factories.user(factories.organization("Elsewhere"), "admin"),
        "ungranted": member("operator", None),
        "read": member("operator", "read"),
        "write": member("operator", "write"),
    }
    world.people = people
    world.headers = {
        name: {"HTTP_AUTHORIZATION": f"Bearer {issue_token(user, name='tests')}"}
        for name, user in people.items()
    }
    secret = api_keys.create_key(people["org_admin"], name="narrow", scopes=["device:read"])[1]
    world.headers["key"] = {"HTTP_X_API_KEY": secret}
    world.narrowed = api_keys.authenticate_key(secret)
    world.headers["anonymous"] = {}
    viewer = people["viewer"]
    world.rows |= {
        "user": viewer.pk,
        "users": viewer.pk,
        "grants": viewer.pk,
        "email": emails.add(viewer, "second@example.org", by=PORTAL).pk,
        "api-keys": api_keys.create_key(viewer, name="viewer's")[0].pk,
        "sessions": sessions.open_session(viewer).session.pk,
    }
    world.rows["invitations"] = Invitation.objects.create(
        organization=world.organization, email="new@example.org", inviter=root
    ).pk
    notice = Notice.objects.create(
        organization=world.organization, kind="config_error", family="config",
        permission="config:update", object_type="devices.device", object_id=NOBODY, text="x",
    )  # fmt: skip
    hook = Webhook.objects.create(
        organization=world.organization, name="hook", url="https://127.0.0.1:9/"
    )
    world.rows |= {
        "notification": Notification.objects.create(notice=notice, recipient=viewer).pk,
        "user-setting": preferences.preferences_of(viewer).get(organization=None).pk,
        "webhook": hook.pk,
        "delivery": Delivery.objects.create(webhook=hook, notice=notice).pk,
    }


def scan_of(world: World) -> Scan:
    return Scan.objects.create(
        organization=world.organization, site=world.site, targets=["10.0.0.1"], methods=[], ports=[],
        total=1, state="completed",
    )  # fmt: skip


def add_gateway(world: World) -> tuple[Gateway, Change]:
    gateway = factories.gateway(world.organization, "https://127.0.0.1:9", site=world.site)
    change_set = ChangeSet.objects.create(
        organization=world.organization, site=world.site, name="set"
    )
    of = {"gateway": gateway, "feature": "opnsense.firewall.alias", "operation": "create"}
    Change.objects.create(**of, change_set=change_set, position=0)
    GatewayBackupPolicy.objects.create(organization=world.organization, hours=0)
    held = StoredConfiguration.objects.create(
        gateway=gateway, digest="0" * 64, name="config.xml", kind="text", size=1, contents=b"x",
        settings=b"x",
    )  # fmt: skip
    GatewayBackup.objects.create(
        gateway=gateway, state="stored", configuration=held, taken=timezone.now()
    )
    return gateway, Change.objects.create(**of)


def add_monitoring(world: World, device: Device) -> None:
    """What monitoring knows of the device, and firmware."""
    add_firmware(world, device)
    owner, now = device.organization, timezone.now()
    session = WifiSession.objects.create(
        device=device, interface_name="wlan0", ssid="Lobby", mac_address="3c:22:fb:10:00:01",
        start_time=now, last_report=now,
    )  # fmt: skip
    silence = Silence.objects.create(
        organization=owner, site=world.site, reason="works", ends=now + timedelta(hours=1)
    )
    threshold = Threshold.objects.create(organization=owner, metric="cpu", value=90)
    check = Check.objects.create(
        organization=owner, name="web", kind="http", seconds=0, enabled=False
    )
    world.rows |= {
        "wifi-session": session.pk, "silence": silence.pk, "threshold": threshold.pk,
        "check": check.pk,
    }  # fmt: skip


def add_firmware(world: World, device: Device) -> None:
    """Add an image for the device."""
    category = Category.objects.create(organization=device.organization, name="access points")
    build = Build.objects.create(category=category, version="24.10.2")
    image = Image.objects.create(
        build=build, name="image.bin", type="image.bin", size=1, sha256="0" * 64,
        has_metadata=False,
    )  # fmt: skip
    upgrade = Upgrade.objects.create(
        device=device, image=image, image_name="image.bin", sha256="0" * 64, size=1
    )
    rollout = FirmwareRollout.objects.create(organization=device.organization, build=build)
    updates = FirmwareRollout.objects.create(organization=device.organization, packages="all")
    gateways = GatewayRollout.objects.create(
        organization=device.organization, vendor="opnsense", targets="office"
    )
    wish = ImageRequest.objects.create(build=build, device=device, board="example,router-v1")
    DeviceFirmware.objects.create(device=device, image=image)
    DeviceSystem.objects.create(device=device, board="example,router-v1")
    world.rows |= {
        "upgrade-operation": upgrade.pk,
        "batch-upgrade-operation": rollout.pk,
        "package-rollout": updates.pk,
        "image-request": wish.pk,
        "gateway-rollout": gateways.pk,
        "firmware-upgrader/category": category.pk,
        "firmware-upgrader/build": build.pk,
        "image": image.pk,
    }


def add_homes(world: World, supervisor: Supervisor, root: User) -> None:
    """Add the rows of Home Assistant devices."""
    owner = supervisor.device.organization
    plan = BackupPlan.objects.create(organization=owner, name="nightly", user=root)
    alert = HomeAlert.objects.create(supervisor=supervisor, kind="issue", about="free_space")
    world.rows |= {
        "controller/home": Home.objects.create(supervisor=supervisor).pk,
        "home-alert": alert.pk,
        "backup-plan": plan.pk,
        "stored-backup": StoredBackup.objects.create(supervisor=supervisor, plan=plan).pk,
    }


def add_exact(world: World, supervisor: Supervisor, cert: Any, device: Any) -> None:
    """Paths whose parts do not follow from the name before them."""
    world.exact = {
        "/firmware/{build_id}/{name}": (
            f"/firmware/{world.rows['firmware-upgrader/build']}/image.bin"
        ),
        "/device/{pk}/restart": f"/device/{supervisor.pk}/restart",
        "/api/v1/controller/cert/{common_name}/group/": (
            f"/api/v1/controller/cert/{cert.common_name}/group/"
        ),
        "/api/v1/access-control/{rest}": "/api/v1/access-control/doors/1/lock",
        "/v[5-7]/device/": "/v6/device",
        "/v[5-7]/device/$count": "/v6/device/$count",
        "/v[5-7]/application/": "/v6/application",
        "/v[5-7]/application/$count": "/v6/application/$count",
        "/v[5-7]/{name}": "/v6/release",
        "/device/v[23]/{uuid}/state": f"/device/v2/{'0' * 32}/state",
        "/application/{pk}/restart": "/application/1/restart",
        "/api/v1/notifications/notification/ignore/{app_label}/{model_name}/{object_id}/": (
            f"/api/v1/notifications/notification/ignore/config/device/{device.pk}/"
        ),
    }


def add_rows(world: World, root: User) -> None:
    organization = world.organization
    device = factories.device(organization, name="everything", site=world.site, config={})
    credentials = factories.credentials(organization)
    connection = factories.connection(device, credentials)
    template = factories.template(organization)
    location = factories.location(organization)
    place_device(device, location=location)
    ca = factories.ca(organization)
    cert = factories.cert(ca)
    subnet = factories.subnet(organization, "10.77.0.0/24")
    vpn = factories.wireguard(organization)
    batch = CommandBatch.objects.create(organization=organization, type="reboot")
    command = Command.objects.create(device=device, type="reboot", batch=batch)
    rollout: Rollout = rollouts.create_draft(template, config=factories.a_file("new"))
    supervisor = add_supervisor(device=device, key="k" * 40, app_id=1, version="1.2")
    calls = SupervisorBatch.objects.create(
        organization=organization, name="ping", method="GET", path="/ping"
    )
    call = SupervisorCall.objects.create(
        supervisor=supervisor, batch=calls, name="ping", method="GET", path="/ping"
    )
    network = factories.network(root)
    member = factories.member(network)
    gateway, change = add_gateway(world)
    audit.record_audit("test", organization)
    audit.record_audit("sign_out", organization)
    entry = audit.AuditEntry.objects.get(action="test")
    add_monitoring(world, device)
    world.rows |= {
        "audit/logs": entry.pk,
        "audit/security-events": audit.AuditEntry.objects.get(action="sign_out").pk,
        "organizations": organization.pk,
        "sites": world.site.pk,
        "organization": organization.pk,
        "users/group": Group.objects.create(name="group").pk,
        "device": device.pk,
        "devices": device.pk,
        "group": factories.group(organization).pk,
        "credential": credentials.pk,
        "connection": connection.pk,
        "command-batch": batch.pk,
        "batch-command": batch.pk,
        "command": command.pk,
        "vpn": vpn.pk,
        "snapshot": Snapshot.objects.get(config__device=device).pk,
        "template": template.pk,
        "rollout": rollout.pk,
        "enrollment": Enrollment.objects.create(
            organization=organization,
            public_key="A" * 43 + "=",
            fingerprint="SHA256:A",
            name="asks",
            mac_address=factories.mac(),
        ).pk,
        "ca": ca.pk,
        "acme": ca.pk,
        "est": ca.pk,
        "cert": cert.pk,
        "location": location.pk,
        "floorplan": factories.floor_plan(location).pk,
        "subnet": subnet.pk,
        "ip-address": add_address(subnet=subnet, ip_address="10.77.0.9").pk,
        "network": network.pk,
        "networks": network.pk,
        "networks/devices": member.node_id,
        "networks/relays": plans.relay().pk,
        "subnets": subnets.add_subnet(member, by=root, lan="192.168.77.0/24").pk,
        "members": member.pk,
        "codes": network.codes.get().pk,
        "shares": add_share(network, by=root, email="guest@example.org").pk,
        "terminal": Terminal.objects.create(device=device, user=root).pk,
        "supervisor-call": call.pk,
        "update-campaign": UpdateCampaign.objects.create(
            organization=organization, name="August", user=root
        ).pk,
        "supervisor-batch": calls.pk,
        "controller/supervisor": supervisor.pk,
        "supervisor": "ping",
        "husarnet": "0" * 8,
        "invitation": "nothing",
        "join/renewal": "nothing",
        "network-device": "nothing",
        "account/email": "nothing",
        "account/invitation": "nothing",
        "hassio": "info",
        "vpn/checksum": vpn.pk,
        "vpn/download-config": vpn.pk,
        "floorplans": FloorPlan.objects.get().pk,
        "{kind}": "image",
        "crl": ca.pk,
        "pki/ca": ca.pk,
        "ocsp": "AAAA",
        "status": "fc94::1",
        "device/v2": "0" * 32,
        "oidc": "sso",
        "saml": "login",
        "gateways": gateway.pk,
        "discovery/scan": scan_of(world).pk,
        "gateway-vpn/changes": change.pk,
        "gateway-backups": GatewayBackup.objects.get().pk,
        "gateway-backup-policies": GatewayBackupPolicy.objects.get().pk,
        "{other}": GatewayBackup.objects.get().pk,
        "change-sets": ChangeSet.objects.get().pk,
        "modules/org": organization.pk,
        "{app_label}": "config",
        "{model_name}": "device",
        "{object_id}": device.pk,
        "{controller_id}": gateway.pk,
        "{gateway_id}": gateway.pk,
        "{vendor}": "opnsense",
        "{area}": "firewall",
        "{feature}": "opnsense.firewall.alias",
        "{part}": "log",
        "{what}": "aliases",
        "{tool}": "ping",
    }
    add_exact(world, supervisor, cert, device)
    for name in ("checksum", "download-config", "report-status", "update-info"):
        world.rows[name] = device.pk
    for name in ("account", "order", "authorization", "challenge"):
        world.rows[name] = NOBODY
    for kind in ("device", "template", "group", "vpn"):
        found = Version.objects.filter(kind=kind, row=world.rows[kind])
        world.rows[f"version/{kind}"] = found.latest("pk").pk
