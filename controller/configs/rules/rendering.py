"""Rendering: inputs → variables → snapshots."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Prefetch, Q

from controller.base import masking
from controller.base.database import update_columns
from controller.base.errors import Conflict, Refused
from controller.base.redis_lock import turn
from controller.celery import enqueue_on_commit
from controller.configs.engine import variables
from controller.configs.engine.backends import uses_dsa
from controller.configs.engine.render import InvalidConfig, Rendered, render
from controller.configs.models import Config, Rollout, RolloutDevice, Snapshot, Template
from controller.configs.rules.agent_cache import publish_checksums, publish_status
from controller.configs.rules.push_queue import enqueue
from controller.configs.rules.vpn_templates import (
    client_layers,
    contents,
    division_layer,
    provision,
    server_layers,
)
from controller.devices.models import Device
from networks.overlay.rules.plans import NOTHING, Contribution, contributions

# Rows read, rendered and written together: large enough for few queries, small enough for
# constant
# memory and early first results.
BATCH = 200

# The first batch is small, so that the first devices see the change soon.
FIRST = 25
# By the first digit of the id, which is random.
PARTS = {
    digits: Q(pk__gte=UUID(f"{digits[0]}{'0' * 31}"), pk__lte=UUID(f"{digits[-1]}{'f' * 31}"))
    for digits in ("0123", "4567", "89ab", "cdef")
}
# After which another worker takes the batch of one that died.
TURN_SECONDS = 30

RENDER = "controller.configs.tasks.render_stale"


@dataclass(frozen=True)
class RenderResult:
    """Result for a configuration's revision; ``made_of`` is called for new snapshots only."""

    revision: int
    rendered: Rendered | Refused
    made_of: Callable[[], Any]


@dataclass(frozen=True)
class Inputs:
    """Complete inputs of a device's archive."""

    backend: str
    templates: tuple[Mapping[str, Any], ...]
    config: Mapping[str, Any]
    layers: tuple[tuple[str, Mapping[str, str]], ...]
    dsa: bool

    @property
    def variables(self) -> dict[str, variables.Variable]:
        return variables.resolve(self.layers)

    def render(self) -> Rendered:
        """Render the archive; raise :class:`Refused` with the validator's message."""
        context = {name: variable.value for name, variable in self.variables.items()}
        try:
            return render(self.backend, self.templates, self.config, context, dsa=self.dsa)
        except InvalidConfig as error:
            raise Refused(str(error)) from error

    def secrets(self) -> list[str]:
        """Return the secrets in these inputs, for masking."""
        found = [
            text for part in (*self.templates, self.config) for text in masking.secrets_in(part)
        ]
        known = self.variables.items()
        found += [one.value for name, one in known if masking.looks_secret(name)]
        return sorted(set(found))

    def undefined(self) -> list[str]:
        known = self.variables
        return variables.undefined([*self.templates, self.config], known)


def inputs(
    device: Device,
    *,
    backend: str,
    templates: Sequence[Template],
    config: Mapping[str, Any],
    context: Mapping[str, Any],
    overlay: Contribution | None = None,
) -> Inputs:
    """Return the inputs of a device with this configuration, saved or not.

    Layers of variables in ascending precedence, as documented for OpenWISP: template
    defaults, the
    templates' VPN servers, the device's own facts, the portal, the organization, the group,
    the
    device's VPN clients, its own subnets, the overlay, the hardware id, and last the
    variables of
    this device. ``overlay`` is the overlay's contribution, if the caller has read it for
    many
    devices at once.
    """
    templates = with_rollout_versions(device, templates)
    if overlay is None:
        overlay = contributions([device.pk]).get(device.pk, NOTHING)
    hostname = {"general": {"hostname": device.name.replace(":", "-")}}
    facts: dict[str, Any] = {
        "name": device.name,
        "mac_address": device.mac_address,
        "id": str(device.pk),
        "key": device.key,
    }
    owner = getattr(device.organization, "device_settings", None)
    layers: list[tuple[str, Mapping[str, Any]]] = [
        (f"template {template.name}", template.default_values) for template in templates
    ]
    layers += [
        *server_layers(templates),
        ("device", facts),
        ("portal", dict(settings.MUSTER_VARIABLES)),
        ("organization", owner.context if owner else {}),
        ("group", device.group.context if device.group else {}),
        *client_layers(device),
        division_layer(device),
        ("overlay", overlay.variables),
        ("hardware id", {"hardware_id": device.hardware_id} if device.hardware_id else {}),
        ("this device", context),
    ]
    return Inputs(
        backend=backend,
        # The device's name is its host name unless a template or the device overrides it.
        templates=(
            hostname,
            *(contents(template) for template in templates),
            overlay.netjson,
        ),
        config=config,
        layers=tuple((origin, _texts(values)) for origin, values in layers),
        dsa=uses_dsa(device.os),
    )


def with_rollout_versions(device: Device, templates: Sequence[Template]) -> list[Template]:
    """Return the templates, in the version released to the device by a running rollout."""
    config = getattr(device, "config", None)
    releases = config.releases.all() if config else ()
    new = {one.rollout.template_id: one.rollout for one in releases if one.is_in_force}
    return [_in_version(new[one.pk], one) if one.pk in new else one for one in templates]


def _in_version(rollout: Rollout, template: Template) -> Template:
    version = copy(template)
    version.config, version.default_values = rollout.config, rollout.default_values
    return version


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: variables.as_text(value) for name, value in values.items()}


def inputs_of(
    config: Config, *, instead: Rollout | None = None, overlay: Contribution | None = None
) -> Inputs:
    """Return a configuration's inputs; ``instead`` substitutes a rollout's version."""
    templates = [use.template for use in config.uses.all()]
    if instead is not None:
        templates = [
            _in_version(instead, one) if one.pk == instead.template_id else one
            for one in templates
        ]
    return inputs(
        config.device,
        backend=config.backend,
        templates=templates,
        config=config.config,
        context=config.context,
        overlay=overlay,
    )


def provenance(config: Config, wanted: Inputs) -> dict[str, Any]:
    """Return the provenance stored with a snapshot, from which it can be restored."""
    return {
        "backend": config.backend,
        "templates": [
            {
                "id": str(use.template_id),
                "name": use.template.name,
                "modified": use.template.modified.isoformat(),
            }
            for use in config.uses.all()
        ],
        "config": config.config,
        "context": config.context,
        "secrets": wanted.secrets(),
    }


def with_inputs() -> Any:
    """Return configurations with all rows needed for rendering, in constant queries."""
    return Config.objects.select_related(
        "device__group", "device__organization__device_settings"
    ).prefetch_related(
        # Before the templates: when a rollout ends, its version moves into the template.
        Prefetch(
            "releases",
            RolloutDevice.objects.filter(
                released__isnull=False, rollout__state__in=Rollout.ACTIVE
            ).select_related("rollout"),
        ),
        "uses__template__vpn__ca",
        "uses__template__vpn__ip",
        "uses__template__vpn__subnet",
        "device__divisions__rule",
        "device__divisions__subnet__addresses",
        "device__vpn_clients__cert",
        "device__vpn_clients__ip",
        "device__vpn_clients__vpn__ca",
        "device__vpn_clients__vpn__ip",
        "device__vpn_clients__vpn__subnet",
    )


def refresh(config_ids: Iterable[UUID]) -> int:
    """Render these configurations and store new snapshots. Returns how many changed."""
    ids = list(config_ids)
    return sum(_refresh(ids[at : at + BATCH]) for at in range(0, len(ids), BATCH))


def _refresh(ids: Sequence[UUID]) -> int:
    outcomes: dict[UUID, RenderResult] = {}
    unprovided = provision(ids)
    devices = Config.objects.filter(pk__in=ids).values_list("device", flat=True)
    overlay = contributions(list(devices))
    for config in with_inputs().filter(pk__in=ids):
        wanted = inputs_of(config, overlay=overlay.get(config.device_id, NOTHING))
        rendered: Rendered | Refused
        try:
            if refusal := unprovided.get(config.device_id):
                raise refusal
            rendered = wanted.render()
        except Refused as refused:
            # Everybody who sees the device reads it, and validators repeat what they refuse.
            rendered = Refused(masking.masked_text(str(refused), wanted.secrets()))
        made_of = partial(provenance, config, wanted)
        outcomes[config.pk] = RenderResult(config.revision, rendered, made_of)
    with transaction.atomic():
        return _store(outcomes)


def _store(outcomes: Mapping[UUID, RenderResult]) -> int:
    rows = [
        row
        for row in Config.objects.select_for_update().filter(pk__in=outcomes).order_by("pk")
        # Another worker has rendered a newer revision meanwhile.
        if row.rendered_revision <= outcomes[row.pk].revision
    ]
    snapshots = _snapshots(
        {row.pk: outcomes[row.pk] for row in rows}, {row.pk: row.desired_id for row in rows}
    )
    changed = []
    for row in rows:
        outcome = outcomes[row.pk]
        row.rendered_revision = outcome.revision
        refused = isinstance(outcome.rendered, Refused)
        row.render_error = str(outcome.rendered) if refused else ""
        snapshot = snapshots.get(row.pk, row.desired_id)
        if row.desired_id != snapshot:
            row.desired_id = snapshot
            changed.append(row.pk)
    update_columns(rows, "rendered_revision", "render_error", "desired")
    if changed:
        enqueue(changed)
        publish_checksums(changed)
    publish_status({*changed, *(row.pk for row in rows if row.render_error)})
    return len(changed)


def _snapshots(
    outcomes: Mapping[UUID, RenderResult], desired: Mapping[UUID, int | None]
) -> dict[UUID, int]:
    """Return the snapshot of each configuration, existing or new."""
    archives = {
        pk: one.rendered for pk, one in outcomes.items() if isinstance(one.rendered, Rendered)
    }
    known = Snapshot.objects.filter(
        config__in=archives, checksum__in={one.checksum for one in archives.values()}
    ).values_list("config", "checksum", "pk")
    found = {
        config: pk for config, checksum, pk in known if archives[config].checksum == checksum
    }
    # A snapshot that is current again may have different inputs now.
    Snapshot.objects.bulk_update(
        [
            Snapshot(pk=pk, made_of=outcomes[config].made_of())
            for config, pk in found.items()
            if desired[config] != pk
        ],
        ["made_of"],
    )
    made = Snapshot.objects.bulk_create(
        Snapshot(
            config_id=pk,
            checksum=one.checksum,
            sha256=one.digest,
            archive=one.archive,
            made_of=outcomes[pk].made_of(),
        )
        for pk, one in archives.items()
        if pk not in found
    )
    return found | {row.config_id: row.pk for row in made}


def mark_stale(configs: Any) -> int:
    """Mark configurations as stale and enqueue rendering. Returns their number."""
    touched: int = configs.update(revision=F("revision") + 1)
    # Each worker that takes one of the messages takes a part of the work.
    for _ in range(min(-(-touched // BATCH), len(PARTS))):
        enqueue_on_commit(RENDER)
    return touched


def render_stale() -> int:
    """Render all stale configurations in batches. Returns their number.

    Workers share the work by parts: one that another worker renders is left to it.
    """
    if not Config.objects.stale().exists():
        return 0
    return sum(_render_part(name, part) for name, part in PARTS.items())


def _render_part(name: str, part: Q) -> int:
    stale = Config.objects.stale().filter(part).values_list("pk", flat=True)
    total, size = 0, FIRST
    # Looked at again after the turn, as others leave to its holder what comes meanwhile.
    while stale.exists():
        try:
            with turn(f"render {name}", seconds=0, lasts=TURN_SECONDS):
                ids = list(stale[:size])
                _refresh(ids)
        except Conflict:
            break
        total, size = total + len(ids), BATCH
    return total
