"""Transfer of a device to another organization, with a preview of the effects."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Organization
from controller.base.errors import Conflict, Refused
from controller.configs.models import Config
from controller.configs.rules.devices import update_device
from controller.configs.rules.rendering import inputs_of, with_inputs
from controller.devices.models import Device, DeviceGroup, Enrollment
from controller.vpn.models import VpnClient


@dataclass
class TransferPlan:
    """Effects of a transfer, as sentences."""

    kept: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    undefined: list[str] = field(default_factory=list)
    """Variables that its configuration uses and nothing would define."""
    problem: str = ""
    """Why it cannot be moved as it is; empty if it can."""


def plan_transfer(
    device: Device, *, organization: Organization, group: DeviceGroup | None = None
) -> TransferPlan:
    """Return the effects of :func:`transfer` by running it and rolling back."""
    found = TransferPlan()
    before = _things(device)
    revoked = _certificates(device)
    with transaction.atomic():
        try:
            with transaction.atomic():
                moved = transfer(device, organization=organization, group=group)
                after = _things(moved)
                found.undefined = _undefined(moved)
        except Refused as refusal:
            found.problem = str(refusal)
            return found
        finally:
            transaction.set_rollback(True)
    found.kept = [one for one in before if one in after]
    found.dropped = [one for one in before if one not in after]
    found.added = [one for one in after if one not in before]
    found.revoked = revoked
    return found


@transaction.atomic
def transfer(
    device: Device, *, organization: Organization, group: DeviceGroup | None = None
) -> Device:
    """Transfer the device to another organization, optionally into one of its groups.

    Its own configuration and variables, and everything shared, are kept. Objects of the
    former
    organization are removed; certificates are revoked, and issued again where the device
    stays a
    client. Raises Conflict if it already belongs to the organization.
    """
    if organization.pk == device.organization_id:
        raise Conflict(
            gettext("%(device)s belongs to %(organization)s already.")
            % {"device": device, "organization": organization}
        )
    fresh = Device.objects.select_related("organization", "group").get(pk=device.pk)
    moved = update_device(fresh, organization=organization, group=group)
    Enrollment.objects.filter(device=moved).update(organization=organization)
    return moved


def _things(device: Device) -> list[str]:
    """Return the names of everything the device could lose by a transfer."""
    config = Config.objects.filter(device=device).first()
    things = [f"Group {device.group}"] if device.group else []
    things += [f"Site {device.site}"] if device.site else []
    things += [
        f"Credentials {one.credentials}"
        for one in device.connections.select_related("credentials")
    ]
    if config is None:
        return things
    uses = config.uses.select_related("template")
    things += [f"Template {use.template}" for use in uses]
    things += [f"Own variable {name}" for name in sorted(config.context)]
    things += [f"Own configuration of {name}" for name in sorted(config.config)]
    return things + list(_inherited(config))


def _inherited(config: Config) -> Iterable[str]:
    """Yield the variables inherited from organization, group or subnets."""
    known = inputs_of(with_inputs().get(pk=config.pk)).variables
    for name, variable in sorted(known.items()):
        if variable.origin in {"organization", "group", "subnets"}:
            yield f"Variable {name} of its {variable.origin}"


def _certificates(device: Device) -> list[str]:
    rows = VpnClient.objects.filter(device=device).select_related("cert", "vpn")
    return [
        f"Certificate {one.cert.common_name} for {one.vpn}"
        if one.cert
        else f"Keys for {one.vpn}"
        for one in rows
    ]


def _undefined(device: Device) -> list[str]:
    config = with_inputs().filter(device=device).first()
    return inputs_of(config).undefined() if config else []
