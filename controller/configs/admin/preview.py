"""Live preview of configurations, saved or unsaved, as JSON."""

import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext

from controller.base import masking
from controller.base.errors import Refused
from controller.configs.admin.fields import chosen
from controller.configs.engine.variables import as_text
from controller.configs.models import Backend, Config, Snapshot, Template
from controller.configs.rules.rendering import Inputs, inputs
from controller.configs.rules.snapshots import files_of, render_file
from controller.configs.rules.templates import check_usable, with_required
from controller.configs.rules.vpn_templates import contents, server_layers
from controller.devices.models import Device
from controller.vpn.models import Vpn

LARGEST_REQUEST = 2_000_000


class BadRequest(Exception):
    """Malformed preview request; the message says what is wrong."""


def read(request: HttpRequest) -> dict[str, Any]:
    """Parse the unsaved state sent by a page; raise BadRequest if malformed."""
    if len(request.body) > LARGEST_REQUEST:
        raise BadRequest(gettext("This configuration is too large to preview."))
    try:
        sent = json.loads(request.body or b"{}")
    except ValueError as error:
        raise BadRequest(gettext("The configuration is not JSON.")) from error
    if not isinstance(sent, dict):
        raise BadRequest(gettext("An object is expected."))
    for name in ("config", "context", "default_values"):
        if not isinstance(sent.get(name, {}), dict):
            raise BadRequest(gettext("%(name)s: a JSON object is expected.") % {"name": name})
    if sent.get("backend", Backend.OPENWRT) not in Backend.values:
        raise BadRequest(gettext("There is no such backend."))
    return sent


def of_device(device: Device, sent: Mapping[str, Any], user: Any) -> JsonResponse:
    """Preview a device's configuration; values missing in ``sent`` are the saved ones."""
    saved = Config.objects.filter(device=device).first()
    if "templates" in sent:
        try:
            templates = chosen(Template.objects.visible_to(user), json.dumps(sent["templates"]))
        except forms.ValidationError as error:
            raise BadRequest(error.messages[0]) from error
    else:
        uses = saved.uses.select_related("template") if saved else []
        templates = [use.template for use in uses]
    backend = str(sent.get("backend") or (saved.backend if saved else Backend.OPENWRT))
    config = sent.get("config", saved.config if saved else {})
    context = sent.get("context", saved.context if saved else {})
    try:
        check_usable(device.organization, backend, templates)
    except Refused as refusal:
        return JsonResponse({"error": str(refusal), "files": []})
    wanted = inputs(
        device,
        backend=backend,
        templates=with_required(device.organization, backend, templates),
        config=config,
        context=context,
    )
    open_ = user.has_perm_on("device:secret", device)
    applied = saved.applied if saved else None
    return JsonResponse(outcome(wanted, is_open=open_, applied=applied))


def of_template(sent: Mapping[str, Any], device: Device | None, user: Any) -> JsonResponse:
    """Preview a template by itself, or with the variables of a device."""
    backend = str(sent.get("backend") or Backend.OPENWRT)
    draft = Template(
        name=str(sent.get("name") or gettext("this template")),
        backend=backend,
        config=sent.get("config", {}),
        default_values=sent.get("default_values", {}),
        vpn=server(sent, user),
    )
    if device is None:
        layers = (
            (f"template {draft.name}", texts(draft.default_values)),
            *server_layers([draft]),
        )
        wanted = Inputs(
            backend=backend, templates=(contents(draft),), config={}, layers=layers, dsa=True
        )
        return JsonResponse(outcome(wanted, is_open=True))
    wanted = inputs(device, backend=backend, templates=[draft], config={}, context=of(device))
    return JsonResponse(outcome(wanted, is_open=user.has_perm_on("device:secret", device)))


def server(sent: Mapping[str, Any], user: Any) -> Vpn | None:
    """Return the VPN server of a draft if it is visible to the user, else None."""
    if sent.get("type") != Template.Type.VPN or not sent.get("vpn"):
        return None
    try:
        return Vpn.objects.visible_to(user).filter(pk=str(sent["vpn"])).first()
    except ValidationError:
        return None


def of(device: Device) -> dict[str, Any]:
    saved = Config.objects.filter(device=device).only("context").first()
    return dict(saved.context) if saved else {}


def texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in values.items()}


def outcome(
    wanted: Inputs, *, is_open: bool, applied: Snapshot | None = None
) -> dict[str, Any]:
    """Return rendered files, error, and variables with their origin."""
    secrets = [] if is_open else wanted.secrets()
    answer: dict[str, Any] = {
        "files": [],
        "error": "",
        "undefined": wanted.undefined(),
        "masked": not is_open,
        "variables": [
            {
                "name": name,
                "value": variable.value
                if is_open or not masking.looks_secret(name)
                else masking.MASK,
                "origin": variable.origin,
            }
            for name, variable in sorted(wanted.variables.items())
        ],
    }
    try:
        answer["files"] = [
            render_file(file, secrets, is_open=is_open) for file in wanted.render().files
        ]
    except Refused as refusal:
        text = str(refusal)
        answer["error"] = text if is_open else masking.masked_text(text, secrets)
    if applied is not None:
        answer["applied"] = {
            file["path"]: file["text"] for file in files_of(applied, is_open=is_open)
        }
    return answer
