"""Choice of columns and rows per page, above every list."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_POST

from controller.accounts.rules import list_layouts as rules
from controller.accounts.rules.saved_filters import canonical
from controller.base.admin import admin_url
from controller.base.changelist import CHECKBOX, PAGE_SIZES


class LayoutForm(forms.Form):
    shown = forms.MultipleChoiceField(required=False)
    page_size = forms.TypedChoiceField(
        choices=[(one, str(one)) for one in PAGE_SIZES], coerce=int
    )
    query = forms.CharField(required=False, max_length=2000)

    def __init__(self, data: Any, columns: list[str]) -> None:
        super().__init__(data)
        self.fields["shown"].choices = [(one, one) for one in columns]  # type: ignore[attr-defined]


@require_POST
def save_list_layout(request: HttpRequest, shown: Any) -> HttpResponse:
    """Keep or reset the layout of the list of this admin class, and show the list again."""
    user: Any = request.user
    if not shown.has_view_permission(request):
        raise PermissionDenied
    page = shown.opts.label_lower
    columns = [str(name) for name in shown.get_list_display(request) if name != CHECKBOX]
    form = LayoutForm(request.POST, columns)
    if "reset" in request.POST:
        rules.reset_layout(user, page=page)
    elif form.is_valid():
        hidden = set(columns) - set(form.cleaned_data["shown"])
        rules.save_layout(
            user, page=page, hidden=hidden, page_size=form.cleaned_data["page_size"]
        )
    else:
        for errors in form.errors.values():
            shown.message_user(request, " ".join(map(str, errors)), "error")
    query = canonical(request.POST.get("query", ""))
    return HttpResponseRedirect(f"{admin_url(shown.model, 'changelist')}?{query}".rstrip("?"))
