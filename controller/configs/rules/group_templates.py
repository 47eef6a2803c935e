"""Templates of groups: what a device gets when its group, or the group's list, changes."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db.models import Prefetch

from controller.accounts.rules.audit import has_actor, record_audit
from controller.configs.models import (
    Backend,
    Config,
    ConfigQuerySet,
    Template,
    TemplateUse,
)
from controller.configs.rules import vpn_templates
from controller.configs.rules.rendering import mark_stale
from controller.configs.rules.templates import (
    check_usable,
    group_templates,
    with_required,
)
from controller.devices.models import DeviceGroup


def reassign(
    rows: ConfigQuerySet, group: DeviceGroup, before: Mapping[str, Sequence[Template]]
) -> None:
    """Give a group's devices its new templates for those of before; workers render them."""
    after = {backend: group_templates(group, backend) for backend in Backend.values}
    known: dict[tuple[str, tuple[UUID, ...]], list[Template]] = {}
    changed: list[tuple[Config, list[Template], list[Template]]] = []
    uses = TemplateUse.objects.select_related("template")
    for row in rows.select_related("device__organization").prefetch_related(
        Prefetch("uses", uses)
    ):
        now = [use.template for use in row.uses.all()]
        kept = [
            one for one in now
            if one not in before[row.backend] or one in after[row.backend]
        ]  # fmt: skip
        wanted = list(dict.fromkeys([*kept, *after[row.backend]]))
        key = (row.backend, tuple(one.pk for one in wanted))
        if key not in known:
            known[key] = _checked_templates(row, wanted)
        if known[key] != now:
            changed.append((row, now, known[key]))
    _write_templates(changed)


def _checked_templates(config: Config, templates: Sequence[Template]) -> list[Template]:
    organization = config.device.organization
    check_usable(organization, config.backend, templates)
    chosen = with_required(organization, config.backend, templates)
    vpn_templates.check_once(chosen)
    return list(chosen)


def _write_templates(
    changed: Sequence[tuple[Config, Sequence[Template], Sequence[Template]]],
) -> None:
    ids = [row.pk for row, _, _ in changed]
    TemplateUse.objects.filter(config__in=ids).delete()
    TemplateUse.objects.bulk_create(
        (
            TemplateUse(config=row, template=template, position=position)
            for row, _, chosen in changed
            for position, template in enumerate(chosen)
        ),
        batch_size=1000,
    )
    for row, now, chosen in changed:
        if {one.vpn_id for one in now} - {None} != {one.vpn_id for one in chosen} - {None}:
            vpn_templates.set_clients(row, chosen)
        if has_actor():
            record_audit(
                "assign_templates",
                row,
                before={"templates": [one.name for one in now]},
                after={"templates": [one.name for one in chosen]},
            )
    mark_stale(Config.objects.filter(pk__in=ids))


def templates_after_group_change(
    templates: Sequence[Template],
    backend: str,
    old: DeviceGroup | None,
    new: DeviceGroup | None,
) -> list[Template]:
    """Replace the former group's templates by the new group's, which come last."""
    if old == new:
        return list(templates)
    leaving = set(group_templates(old, backend))
    joining = group_templates(new, backend)
    kept = [one for one in templates if one not in leaving or one in joining]
    return list(dict.fromkeys([*kept, *joining]))
