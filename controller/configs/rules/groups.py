"""Groups of devices together with their templates."""

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import Version
from controller.accounts.rules.audit import has_actor, record_audit
from controller.base.errors import Refused
from controller.configs.models import (
    Backend,
    Config,
    GroupTemplate,
    Template,
)
from controller.configs.rules.group_templates import reassign
from controller.configs.rules.rendering import mark_stale
from controller.configs.rules.templates import (
    group_templates,
)
from controller.configs.rules.version_records import record_group
from controller.devices import rules as devices
from controller.devices.models import DeviceGroup


@transaction.atomic
def create_group(*, templates: Sequence[Template] = (), **values: Any) -> DeviceGroup:
    group = devices.create_group(**values)
    _set_group_templates(group, templates)
    record_group(group)
    return group


@transaction.atomic
def update_group(
    group: DeviceGroup, *, templates: Sequence[Template] | None = None, **values: Any
) -> DeviceGroup:
    """Update a group and the templates and variables of its devices."""
    context = group.context
    group = devices.update_group(group, **values)
    rows = Config.objects.filter(device__group=group, is_retired=False)
    if templates is not None:
        before = {backend: group_templates(group, backend) for backend in Backend.values}
        _set_group_templates(group, templates)
        reassign(rows, group, before)
    if group.context != context:
        mark_stale(rows)
    record_group(group)
    return group


def _set_group_templates(group: DeviceGroup, templates: Sequence[Template]) -> None:
    for template in templates:
        if template.organization_id not in {None, group.organization_id}:
            raise Refused(
                {
                    "templates": [
                        gettext("The template %(template)s is of another organization.")
                        % {"template": template.name}
                    ]
                }
            )
    if has_actor():
        record_audit(
            "assign_templates", group, after={"templates": [one.name for one in templates]}
        )
    GroupTemplate.objects.filter(group=group).delete()
    GroupTemplate.objects.bulk_create(
        GroupTemplate(group=group, template=template, position=position)
        for position, template in enumerate(dict.fromkeys(templates))
    )


@transaction.atomic
def delete_group(group: DeviceGroup) -> None:
    """Delete the group; its devices stay, without its templates and variables.

    Workers render the devices again.
    """
    record_group(group, Version.Verb.DELETED)
    rows = Config.objects.filter(device__group=group, is_retired=False)
    ids = list(rows.values_list("pk", flat=True))
    before = {backend: group_templates(group, backend) for backend in Backend.values}
    GroupTemplate.objects.filter(group=group).delete()
    reassign(rows, group, before)
    group.delete()
    mark_stale(Config.objects.filter(pk__in=ids))
