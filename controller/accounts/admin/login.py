"""Sign-in form of the admin, with an optional second factor."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.models import User
from controller.accounts.rules import mfa
from controller.accounts.rules.audit import record_audit
from controller.base.admin import AuthenticationForm, UnfoldAdminTextInputWidget
from controller.base.errors import Refused


class SignInForm(AuthenticationForm):
    """Sign-in form with a code field for everyone, so it does not reveal who uses MFA."""

    code = forms.CharField(
        label=_("Code"),
        required=False,
        max_length=16,
        help_text=_("Of your authenticator app, if you have set one up."),
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "text"}
        ),
    )

    @property
    def single_sign_on(self) -> str:
        return settings.MUSTER_OIDC_NAME if settings.MUSTER_OIDC_URL else ""

    def confirm_login_allowed(self, user: Any) -> None:
        super().confirm_login_allowed(user)
        if not isinstance(user, User):
            return
        if mfa.is_enabled(user):
            self.prove(user)
        record_audit("sign_in", user, by=user)

    def prove(self, user: User) -> None:
        # The field comes after the others, so it is not cleaned yet.
        code = str(self.data.get(self.add_prefix("code"), "")).strip()
        try:
            if not code:
                raise Refused(  # noqa: TRY301
                    gettext("Enter the code of your authenticator app, or a backup code.")
                )
            mfa.verify_code(user, code)
        except Refused as error:
            raise forms.ValidationError(str(error)) from error


admin.site.login_form = SignInForm
