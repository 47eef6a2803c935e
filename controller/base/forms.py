"""Forms that save by calling a rule, and widgets for JSON fields."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from copy import copy
from typing import Any, cast

from django import forms
from django.db import transaction
from django.db.models import Model
from django.forms.models import InlineForeignKeyField
from django.utils.translation import gettext_lazy as _

from controller.base.errors import ALL_FIELDS, Refused
from controller.base.masking import MASK
from controller.base.secret_fields import may_read_secrets, secret_fields, shown_value

NO_ROLE_THERE = _("Your role in this organization does not permit this.")

# Fields added by the formset; not passed to rules.
OF_THE_FORMSET = {"DELETE", "ORDER"}


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]
    """Model form that saves by calling a rule and shows the rule's errors."""

    rule: Callable[..., Any]
    # Whether the rule runs in a transaction; others ask other machines first.
    is_atomic = True
    # Whether the user has the permission in an organization (its id; None: shared).
    may_in: Callable[[Any], bool] = staticmethod(lambda _organization_id: True)

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        for name in secret_fields(self.instance).whole:
            if values.get(name) == MASK and not self.instance._state.adding:
                values[name] = getattr(self.instance, name)
        # A new row without a chosen organization is explicitly shared.
        says = self.instance._state.adding or "organization" in self.changed_data
        if says and "organization" in self.cleaned_data:
            owner = self.cleaned_data["organization"]
            if not type(self).may_in(owner.pk if owner else None):
                self.add_error("organization", NO_ROLE_THERE)
        return values

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]
        unchanged = not self.instance._state.adding and not self.changed_data
        if self.errors or unchanged or self.cleaned_data.get("DELETE") or self.lacks_parent():
            return
        try:
            with transaction.atomic() if self.is_atomic else nullcontext():
                stored = self.apply_rule()
        except Refused as error:
            self.add_error(None, self.as_form_error(error))
            return
        # Inlines of a new row were built with this instance, so it becomes the stored row.
        self.instance.__dict__.update(stored.__dict__)

    def lacks_parent(self) -> bool:
        """Return whether this form is in an inline of a row that was not stored."""
        return any(
            isinstance(field, InlineForeignKeyField) and field.parent_instance._state.adding
            for field in self.fields.values()
        )

    def rule_values(self) -> dict[str, Any]:
        """Return the form's values without the fields added by the formset."""
        key = self._meta.model._meta.pk
        left_out = OF_THE_FORMSET | ({key.name} if key else set())
        return {name: v for name, v in self.cleaned_data.items() if name not in left_out}

    def apply_rule(self) -> Model:
        values = self.rule_values()
        if self.instance._state.adding:
            return cast(Model, type(self).rule(**values))
        changed = {name: value for name, value in values.items() if name in self.changed_data}
        return cast(Model, type(self).rule(self.row(), **changed))

    def row(self) -> Any:
        """Return the row as stored; the form has already changed `instance`."""
        return self._meta.model._default_manager.get(pk=self.instance.pk)

    def as_form_error(self, error: Refused) -> forms.ValidationError:
        named: dict[str, list[str]] = {}
        for field, sentences in error.by_field.items():
            known = field if field in self.fields else ALL_FIELDS
            prefix = "" if field in {known, ALL_FIELDS} else f"{field}: "
            named.setdefault(known, []).extend(f"{prefix}{text}" for text in sentences)
        return forms.ValidationError(cast(Any, named))

    def save(self, commit: bool = True) -> Model:  # noqa: FBT001, FBT002 - Django's signature
        self.save_m2m = lambda: None  # type: ignore[method-assign]
        return cast(Model, self.instance)


def hide_secrets(form: Any, user: Any) -> None:
    """Mask what is secret in a form that is about to be shown, editable or not.

    Nothing is written with it any more; a mask that is sent back keeps what is stored.
    """
    row = form.instance
    names = secret_fields(row).names
    if not names or row._state.adding or may_read_secrets(user, row):
        return
    shown = form.instance = copy(row)
    for name in names:
        value = shown_value(row, name, getattr(row, name), is_open=False)
        setattr(shown, name, value)
        if name in form.initial:
            form.initial[name] = value


def only_choices(opts: Any, user: Any) -> dict[str, Any]:
    """Return initial values of a new row: each related row where the user can choose only one.

    Optional relations stay empty, except the organization: empty would share the row.
    """
    found = {}
    for field in opts.fields:
        related: Any = field.related_model._default_manager if field.many_to_one else None
        if not (field.editable and hasattr(related, "visible_to")):
            continue
        if field.blank and field.name != "organization":
            continue
        rows = list(related.visible_to(user).values_list("pk", flat=True)[:2])
        if len(rows) == 1:
            found[field.name] = rows[0]
    return found


def shows_form_again(response: Any) -> bool:
    """Return whether the response shows the submitted form again, with its errors.

    Responses to a pop-up, and pages that show a new secret, are also 200 but have no form.
    """
    context = getattr(response, "context_data", None) or {}
    return "adminform" in context and not getattr(response, "is_done", False)


def form_errors(form: Any, formsets: Iterable[Any]) -> list[tuple[str, str]]:
    """Return every error of a page's forms as label and message.

    Errors of the main form as a whole are left out: the page shows them by themselves.
    """
    found = [one for one in _labelled_errors(form) if one[0]]
    for formset in formsets:
        found += [("", message) for message in formset.non_form_errors()]
        found += [one for each in formset.forms for one in _labelled_errors(each)]
    return found


def _labelled_errors(form: Any) -> Iterator[tuple[str, str]]:
    for name, errors in form.errors.items():
        field = form.fields.get(name)
        label = str(form[name].label) if field else ""
        for message in errors:
            yield label, message


class VariablesWidget(forms.Textarea):
    """Key-value editor on top of a textarea that holds the JSON object."""

    template_name = "portal/variables.html"

    class Media:
        css = {"all": ["portal/editors.css"]}
        js = [forms.Script("portal/variables.js", type="module")]


class SchemaWidget(forms.Textarea):
    """A form from the backend's schema, or the JSON itself; the textarea is the field."""

    template_name = "portal/config.html"

    class Media:
        css = {"all": ["portal/editors.css"]}
        js = [
            "vendor/json-editor-2.17.2/jsoneditor.js",
            forms.Script("portal/config-editor.js", type="module"),
        ]
