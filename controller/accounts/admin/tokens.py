"""Admin of the user's own API tokens: created, revoked, and displayed once."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts import rules
from controller.accounts.engine.permission_titles import titles
from controller.accounts.models import ApiToken, User
from controller.base.admin import RuleAdmin, RuleForm, admin_url, display
from controller.base.derived_names import register_titles
from controller.base.secrets import digest

register_titles(titles)


class TokenForm(RuleForm):
    user: Any = None

    def apply_rule(self) -> ApiToken:
        self.token = rules.issue_token(
            self.cleaned_data.get("user") or self.user, name=self.cleaned_data["name"]
        )
        return ApiToken.objects.get(digest=digest(self.token))


@admin.register(ApiToken)
class ApiTokenAdmin(RuleAdmin):
    empty_hint = _("A program signs in with a token. The token is shown once.")
    resource = "token"
    form = TokenForm
    delete_rule = rules.revoke_token
    list_display = ["name", "user", "created", "used"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    ordering = ["-created"]

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Permit actions on one's own tokens; other rows are not in the queryset."""
        user: Any = request.user
        return user.is_authenticated and user.is_active and verb != "update"

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        if obj is not None:
            return ["name", "user", "created", "last_used"]
        return ["name", "user"] if request.user.is_superuser else ["name"]

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"user": request.user.pk}

    def get_form(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, **kwargs)
        if "user" in form.base_fields:
            form.base_fields["user"].queryset = User.objects.filter(is_active=True)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        # Only for response_add: the token cannot be read again.
        obj.plain_token = form.token

    def response_add(
        self, request: HttpRequest, obj: Any, *args: Any, **kw: Any
    ) -> HttpResponse:
        context = self.admin_site.each_context(request) | {
            "title": gettext("New API token"),
            "opts": self.opts,
            "token": obj.plain_token,
            "name": obj.name,
            "back": admin_url(ApiToken, "changelist"),
        }
        response = TemplateResponse(request, "admin/accounts/apitoken/made.html", context)
        response["Cache-Control"] = "no-store"
        response.is_done = True  # type: ignore[attr-defined]
        return response

    @display(description=_("Last used"), ordering="last_used", empty_value=_("never"))
    def used(self, obj: ApiToken) -> Any:
        return obj.last_used
