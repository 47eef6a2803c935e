"""Templates of a device's configuration: assign them in order, and render."""

from collections.abc import Sequence

from controller.accounts.models import Organization
from controller.accounts.rules.audit import has_actor, record_audit
from controller.base.errors import Refused
from controller.configs.models import (
    Config,
    Template,
    TemplateUse,
)
from controller.configs.rules import vpn_templates
from controller.configs.rules.rendering import refresh
from controller.configs.rules.templates import (
    check_usable,
    usable,
    with_required,
)

# Error code for a configuration that cannot be rendered.
CANNOT_RENDER = "cannot_render"


def assign(config: Config, templates: Sequence[Template]) -> None:
    """Assign these templates in order, required ones first, and render.

    Raises Refused if a template is not usable or the result cannot be rendered.
    """
    organization = config.device.organization
    check_usable(organization, config.backend, templates)
    chosen = with_required(organization, config.backend, templates)
    vpn_templates.check_once(chosen)
    if has_actor():
        before = [one.name for one in assigned_templates(config)]
        if before != (after := [one.name for one in chosen]):
            record_audit(
                "assign_templates",
                config,
                before={"templates": before},
                after={"templates": after},
            )
    config.uses.all().delete()
    TemplateUse.objects.bulk_create(
        TemplateUse(config=config, template=template, position=position)
        for position, template in enumerate(chosen)
    )
    vpn_templates.set_clients(config, chosen)
    render_or_refuse(config)


def render_or_refuse(config: Config) -> None:
    """Render synchronously; raise Refused if rendering fails."""
    Config.objects.filter(pk=config.pk).invalidate()
    refresh([config.pk])
    config.refresh_from_db()
    if config.render_error:
        raise Refused(config.render_error, code=CANNOT_RENDER)


def assigned_templates(config: Config) -> list[Template]:
    return [use.template for use in config.uses.select_related("template")]


def default_templates(organization: Organization, backend: str) -> list[Template]:
    return list(usable(organization, backend).filter(default=True).order_by("name"))
