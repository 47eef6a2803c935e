"""Templates, and the effects of changes on the devices that use them."""

from collections.abc import Sequence
from itertools import count
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext

from controller.accounts.models import Organization, Version
from controller.base import masking
from controller.base.archive import gzip, tar
from controller.base.errors import Conflict, Refused
from controller.configs.engine.render import InvalidConfig, Rendered, render, validate
from controller.configs.models import Config, GroupTemplate, Rollout, Template, TemplateUse
from controller.configs.rules import vpn_templates
from controller.configs.rules.rendering import mark_stale
from controller.configs.rules.version_records import record_template
from controller.devices.models import DeviceGroup

NAME_LENGTH = 64


@transaction.atomic
def create_template(**values: Any) -> Template:
    template = Template(**values)
    check(template)
    template.save()
    if template.default:
        assign_to_all(template)
    record_template(template)
    return template


@transaction.atomic
def clone_template(template: Template) -> Template:
    """Copy a template under a unique name, with `default` and `required` unset."""
    copied = (
        "organization", "type", "backend", "vpn", "auto_cert", "tags", "default_values",
        "config", "notes",
    )  # fmt: skip
    values = {name: getattr(template, name) for name in copied}
    return create_template(name=_clone_name(template), **values)


def _clone_name(template: Template) -> str:
    taken = set(Template.objects.values_list("name", flat=True))
    endings = (" (Clone)" if number == 1 else f" (Clone {number})" for number in count(1))
    names = (template.name[: NAME_LENGTH - len(ending)] + ending for ending in endings)
    return next(name for name in names if name not in taken)


@transaction.atomic
def update_template(template: Template, **values: Any) -> Template:
    """Update a template; its devices are rendered again in the background.

    Raises Conflict if a template in use would change organization or backend.
    """
    before = Template.objects.select_related("vpn").get(pk=template.pk)
    for name, value in values.items():
        setattr(template, name, value)
    check(template)
    moved = (template.organization_id, template.backend) != (
        before.organization_id, before.backend
    )  # fmt: skip
    if moved and template.uses.exists():
        raise Conflict(
            gettext(
                "A template in use keeps its organization and its backend. Clone it instead, "
                "or take it off its devices first."
            )
        )
    if (template.config, template.default_values) != (before.config, before.default_values):
        _not_in_waves(template)
    template.save()
    vpn_templates.move(template, before)
    if template.default > before.default or template.required > before.required:
        assign_to_all(template)
    mark_stale(Config.objects.filter(uses__template=template))
    record_template(template)
    return template


@transaction.atomic
def delete_template(template: Template) -> None:
    """Remove the template from all devices and groups, then delete it."""
    _not_in_waves(template)
    record_template(template, Version.Verb.DELETED)
    configs = list(template.uses.values_list("config_id", flat=True))
    vpn_templates.remove_clients(template.vpn, configs)
    template.uses.all().delete()
    template.group_uses.all().delete()
    template.delete()
    mark_stale(Config.objects.filter(pk__in=configs))


def _not_in_waves(template: Template) -> None:
    if template.rollouts.filter(state__in=Rollout.ACTIVE).exists():
        raise Conflict(
            gettext(
                "A rollout of this template is under way: wait for its end, or roll it back first."
            )
        )


def rendered(template: Template) -> Rendered:
    """Render a template by itself with its default values; raise Refused if invalid."""
    try:
        return render(
            template.backend, [], vpn_templates.contents(template), _variables(template)
        )
    except InvalidConfig as error:
        raise Refused({"config": [str(error)]}) from error


def archive(template: Template, *, is_open: bool) -> bytes:
    """Return what a template renders to by itself (tar.gz), without secrets unless ``is_open``."""
    found = rendered(template)
    if is_open:
        return found.archive
    sources = (template.config, template.default_values, _variables(template))
    secrets = [one for source in sources for one in masking.secrets_in(source)]
    return gzip(tar(masking.masked_files(found.files, secrets)))


def _variables(template: Template) -> dict[str, Any]:
    """Return the variables of a template alone: its defaults and its VPN server's."""
    known = dict(template.default_values)
    for _, values in vpn_templates.server_layers([template]):
        known |= values
    if template.vpn is not None:
        known = vpn_templates.placeholders(template.vpn) | known
    return known


def affected_configs(template: Template) -> int:
    """Return how many devices a change of this template affects."""
    return template.uses.count()


def check(template: Template) -> None:
    if template.required:
        template.default = True
    _check_name(template)
    template.checked()
    vpn_templates.check(template, template.organization)
    if template.type == Template.Type.GENERIC:
        template.auto_cert = False
    if not template.config and template.type == Template.Type.GENERIC:
        raise Refused({"config": [gettext("The configuration field cannot be empty.")]})
    try:
        validate(
            template.backend,
            [],
            vpn_templates.contents(template),
            _variables(template),
            partial=True,
        )
    except InvalidConfig as error:
        raise Refused(str(error)) from error


def _check_name(template: Template) -> None:
    """Raise Refused if the name exists as shared and in an organization."""
    namesakes = Template.objects.filter(name=template.name).exclude(pk=template.pk)
    if template.organization_id is not None:
        namesakes = namesakes.filter(organization=None)
    if namesakes.exists():
        raise Refused({"name": [gettext("There is already another template with this name.")]})


def usable(organization: Organization, backend: str) -> Any:
    """Return the templates available to devices of this organization and backend."""
    return Template.objects.select_related("vpn").filter(
        Q(organization=organization) | Q(organization=None), backend=backend
    )


def initial_templates(
    organization: Organization,
    backend: str,
    group: DeviceGroup | None,
    tags: Sequence[str] = (),
) -> list[Template]:
    """Return the templates of a new configuration: required, default, group, tagged."""
    candidates = list(usable(organization, backend).order_by("-required", "name"))
    tagged = [one for one in candidates if set(one.tags) & set(tags)]
    chosen = (
        [one for one in candidates if one.default] + group_templates(group, backend) + tagged
    )
    return list(dict.fromkeys(chosen))


def group_templates(group: DeviceGroup | None, backend: str) -> list[Template]:
    if group is None:
        return []
    uses = GroupTemplate.objects.filter(group=group, template__backend=backend)
    return [use.template for use in uses.select_related("template")]


def with_required(
    organization: Organization, backend: str, templates: Sequence[Template]
) -> list[Template]:
    """Return required templates first, then the given ones in order, without duplicates."""
    required = usable(organization, backend).filter(required=True).order_by("name")
    return list(dict.fromkeys([*required, *templates]))


def check_usable(
    organization: Organization, backend: str, templates: Sequence[Template]
) -> None:
    for template in templates:
        if template.organization_id not in {None, organization.pk}:
            raise Refused(
                {
                    "config": [
                        gettext(
                            "The following templates are owned by organizations which do not match the "
                            "organization of this configuration: %(template)s"
                        )
                        % {"template": template.name}
                    ]
                }
            )
        if template.backend != backend:
            raise Refused(
                {
                    "config": [
                        gettext("The template %(template)s is for another backend.")
                        % {"template": template.name}
                    ]
                }
            )


def assign_to_all(template: Template) -> None:
    """Assign a default or required template to every matching config that lacks it."""
    lacking = Config.objects.filter(backend=template.backend, is_retired=False).exclude(
        uses__template=template
    )
    if template.organization_id is not None:
        lacking = lacking.filter(device__organization=template.organization_id)
    if template.vpn_id is not None:
        # Clients of its VPN server keep the other template.
        lacking = lacking.exclude(uses__template__vpn=template.vpn_id)
    ids = list(lacking.values_list("pk", flat=True))
    if template.required:
        TemplateUse.objects.filter(config__in=ids).update(position=F("position") + 1)
    last = dict.fromkeys(ids, 0) if template.required else _next_positions(ids)
    TemplateUse.objects.bulk_create(
        (TemplateUse(config_id=pk, template=template, position=last[pk]) for pk in ids),
        batch_size=1000,
    )
    vpn_templates.add_clients(template, ids)
    mark_stale(Config.objects.filter(pk__in=ids))


def _next_positions(config_ids: Sequence[UUID]) -> dict[UUID, int]:
    last = (
        TemplateUse.objects.filter(config__in=config_ids)
        .order_by()
        .values_list("config")
        .annotate(last=Max("position"))
    )
    return dict.fromkeys(config_ids, 0) | {pk: position + 1 for pk, position in last}
