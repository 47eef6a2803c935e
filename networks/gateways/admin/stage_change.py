"""Form of a change, generated from the JSON Schema of its feature."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import User
from controller.base.admin import (
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)
from controller.base.errors import ALL_FIELDS, NotPermitted, Refused
from networks.gateways.admin.feature_titles import translated
from networks.gateways.engine.features import FEATURES, Feature
from networks.gateways.engine.features.titles import VERBS, area_title, field_label
from networks.gateways.models import Change, Gateway
from networks.gateways.rules import changes

UNSET = [("", "-")]
SUMMED_UP, LONGEST = 4, 100
FLAGS = [*UNSET, ("true", _("Yes")), ("false", _("No"))]


def choices(user: Any, gateway: Gateway) -> list[tuple[str, list[dict[str, Any]]]]:
    """Return the features the user may stage, by area, each with its operations."""
    if not isinstance(user, User):
        return []
    areas: dict[str, list[dict[str, Any]]] = {}
    for key, one in FEATURES.items():
        is_listed = key == one.key and one.vendor == gateway.vendor and not one.restores
        if not is_listed or not _may(user, gateway, one):
            continue
        verbs = [(f"{key}:{verb}", button_of(one, verb)) for verb in one.operations]
        shown = {
            "feature": one, "name": translated(one.title), "operations": verbs,
            "sentence": translated(one.sentence),
        }  # fmt: skip
        areas.setdefault(translated(area_title(one.area)), []).append(shown)
    return sorted(areas.items())


def button_of(feature: Feature, operation: str) -> str:
    return gettext("Run") if feature.action else VERBS.get(operation, operation.capitalize())


def _may(user: User, gateway: Gateway, feature: Feature) -> bool:
    try:
        changes.may_write(user, gateway, feature)
    except NotPermitted:
        return False
    return True


def chosen(gateway: Gateway, text: str) -> tuple[Feature, str]:
    key, _, operation = text.rpartition(":")
    feature = changes.feature_of(gateway, key)
    if operation not in feature.operations:
        raise Refused(
            gettext("%(capfirst)s: the operation %(operation)s does not exist.")
            % {"capfirst": capfirst(translated(feature.title)), "operation": repr(operation)}
        )
    return feature, operation


class StageForm(forms.Form):
    """Form of a change. Empty fields are omitted: the gateway keeps its values."""

    def __init__(
        self,
        *args: Any,
        feature: Feature,
        operation: str,
        held: Sequence[Mapping[str, Any]] | None = None,
        amends: Change | None = None,
        **kwargs: Any,
    ) -> None:
        """Build the fields.

        ``held`` are the selectable objects; amending keeps the target.
        """
        super().__init__(*args, **kwargs)
        self.schema = feature.schema(operation)["properties"]
        self.stored = (amends and amends.secrets) or {}
        if amends is not None:
            self.initial = as_entered(amends)
        elif operation != "create":
            self.fields["target_id"] = target_field(held)
        for name, schema in self.schema.items():
            if name in feature.names:
                continue  # an alias of another property
            required = operation == "create" and name in feature.required
            field = field_for(name, schema, required=required and name not in self.stored)
            if name in self.stored:
                field.help_text = gettext("Stored. Leave it empty to keep what is stored.")
            self.fields[f"payload.{name}"] = field
        self.fields["notes"] = forms.CharField(
            required=False, max_length=2000, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
        )

    def values(self) -> dict[str, Any]:
        """Return the arguments of the rules `stage` and `amend`."""
        given = self.cleaned_data
        payload = {
            name: as_json(given[f"payload.{name}"], schema)
            for name, schema in self.schema.items()
            if given.get(f"payload.{name}") not in {None, ""}
        }
        found = {"payload": {**self.stored, **payload}, "notes": given["notes"]}
        return found | ({"target_id": given["target_id"]} if "target_id" in given else {})

    def kept(self, rule: Callable[[dict[str, Any]], Change]) -> Change | None:
        """Call the rule with the entered values. Returns None if the form has errors."""
        if self.is_bound and self.is_valid():
            try:
                return rule(self.values())
            except Refused as error:
                self.blame(error)
        return None

    def blame(self, error: Refused) -> None:
        """Assign a refusal's messages to the fields; those of list items to the list."""
        for name, texts in error.by_field.items():
            field = ".".join(name.split(".")[:2])
            known = field if field in self.fields and name != ALL_FIELDS else None
            self.add_error(known, ValidationError(list(texts)))


def as_entered(change: Change) -> dict[str, Any]:
    """Return a change's values as initial values of the form."""
    shown = {f"payload.{n}": entered(v) for n, v in change.what.renamed(change.payload).items()}
    return {**shown, "notes": change.notes}


def entered(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return "\n".join(map(str, value)) if isinstance(value, list) else value


def target_field(held: Sequence[Mapping[str, Any]] | None) -> forms.Field:
    """Return the target field: a selection if the objects are known, otherwise an id."""
    if held is None:
        return forms.CharField(
            label=gettext("ID of the object"), required=False, max_length=64,
            help_text=gettext("Leave empty if there is only one."),
            widget=UnfoldAdminTextInputWidget,
        )  # fmt: skip
    options = [(one["target_id"], summary(one)) for one in held]
    return forms.ChoiceField(
        label=gettext("Object"), choices=options, widget=UnfoldAdminSelectWidget
    )


def summary(one: Mapping[str, Any]) -> str:
    values = [str(value) for value in one["values"].values() if value][:SUMMED_UP]
    return ", ".join(values)[:LONGEST] or str(one["target_id"])


def kind_of(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "string")
    return kind if isinstance(kind, str) else "string"


def field_for(name: str, schema: Mapping[str, Any], *, required: bool) -> forms.Field:
    common: dict[str, Any] = {
        "label": field_label(name), "required": required, "help_text": schema.get("description", ""),
    }  # fmt: skip
    kind = kind_of(schema)
    if "enum" in schema:
        options = [*UNSET, *((str(one), str(one)) for one in schema["enum"])]
        return forms.ChoiceField(choices=options, widget=UnfoldAdminSelectWidget, **common)
    if kind == "boolean":
        return forms.ChoiceField(choices=FLAGS, widget=UnfoldAdminSelectWidget, **common)
    if kind == "integer":
        return forms.IntegerField(
            min_value=schema.get("minimum"), max_value=schema.get("maximum"),
            widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"}), **common,
        )  # fmt: skip
    if kind == "array":
        common["help_text"] = common["help_text"] or gettext("One per line.")
        widget: Any = UnfoldAdminTextareaWidget(attrs={"rows": 3})
    elif schema.get("writeOnly"):
        widget = UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    else:
        widget = UnfoldAdminTextInputWidget
    return forms.CharField(widget=widget, **common)


def as_json(value: Any, schema: Mapping[str, Any]) -> Any:
    """Convert an entered value to the type in its schema."""
    kind = kind_of(schema)
    if kind == "boolean":
        return value == "true"
    if kind == "array":
        numbers = schema.get("items", {}).get("type") == "integer"
        lines = [line.strip() for line in str(value).splitlines() if line.strip()]
        return [int(one) if numbers and one.isdigit() else one for one in lines]
    if "enum" in schema:
        return next((one for one in schema["enum"] if str(one) == value), value)
    return value
