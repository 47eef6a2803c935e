"""Test of a gateway's address and login before it is added."""

from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from controller.base.admin import RuleAdmin
from networks.gateways.engine.features import VENDORS
from networks.gateways.models import Gateway
from networks.gateways.rules.gateways import why_unreachable

TESTED = ("vendor", "url", "key", "secret", "ca_certificate", "fingerprint")
PROBLEM = "_gateway_problem"
UNTESTED = "save_untested"


class TestedForm(forms.ModelForm):  # type: ignore[type-arg]
    """Form that refuses a new gateway that cannot be reached, unless the user insists."""

    problem = ""
    save_untested = forms.BooleanField(
        label=_("Add it even if it cannot be reached"), required=False,
        help_text=_("The portal tests address and credentials before it adds a gateway."),
    )  # fmt: skip

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if type(self).problem and self.instance._state.adding:
            self.add_error("url", type(self).problem)
        return values


class TestsConnection(RuleAdmin):
    """Gateway admin that asks the gateway before it adds it, outside of any transaction."""

    def changeform_view(
        self, request: HttpRequest, object_id: Any = None, *args: Any, **kwargs: Any
    ) -> HttpResponse:
        is_new = request.method == "POST" and not object_id
        if is_new and UNTESTED not in request.POST and self.has_add_permission(request):
            given = {name: request.POST.get(name, "").strip() for name in TESTED}
            if given["vendor"] in VENDORS and given["url"] and given["key"]:
                setattr(request, PROBLEM, why_unreachable(Gateway(**given)))
        return super().changeform_view(request, object_id, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        return type(form.__name__, (form,), {"problem": getattr(request, PROBLEM, "")})
