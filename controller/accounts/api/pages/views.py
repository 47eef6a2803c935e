"""Pages that mailed links lead to: whoever is signed in looks, and then says yes."""

from __future__ import annotations

from typing import Any, cast

from django.contrib import messages
from django.contrib.admin import site
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.mixins import LoginRequiredMixin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views import View

from controller.accounts.models import User
from controller.accounts.rules import emails, invitations, passwords, sessions
from controller.base.errors import Refused


class LinkedPage(LoginRequiredMixin, View):
    """A page whose address is a secret."""

    title: str
    template = "portal/confirm.html"

    @property
    def user(self) -> User:
        assert isinstance(self.request.user, User)  # noqa: S101 - signed in
        return self.request.user

    def shown(self, request: HttpRequest, problem: str = "", **more: Any) -> HttpResponse:
        context = site.each_context(request) | {"title": self.title, "problem": problem} | more
        response = TemplateResponse(request, self.template, context)
        # The address of the page is a secret, which is not for the next one to know.
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "no-store"
        return response


class PasswordPage(PasswordChangeView):
    """The admin's own page, whose new password ends every other session."""

    template_name = "registration/password_change_form.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**site.each_context(self.request), **kwargs)

    def get_success_url(self) -> str:
        return reverse("admin:password_change_done")

    def form_valid(self, form: Any) -> HttpResponse:
        user, given = form.user, form.cleaned_data
        own = sessions.of_browser(user, self.request.session.get(sessions.BROWSER))
        try:
            passwords.change_password(
                user, current=given["old_password"], new=given["new_password1"], session=own
            )
        except Refused as error:
            form.add_error(None, str(error))
            return self.form_invalid(form)
        update_session_auth_hash(self.request, user)
        return HttpResponseRedirect(self.get_success_url())


class ConfirmationPage(LinkedPage):
    """``/account/email/<token>/``: the address that it was sent to is the user's."""

    title = "Confirm your e-mail address"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            row = emails.of_token(token, by=self.user)
        except Refused as error:
            return self.shown(request, str(error))
        return self.shown(
            request, text=f"{row.email} is an address of {self.user}.", button="Confirm"
        )

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            emails.confirm(token, by=self.user)
        except Refused as error:
            return self.shown(request, str(error))
        return HttpResponseRedirect(reverse("admin:index"))


class InvitationPage(LinkedPage):
    """``/account/invitation/<token>/``: whoever opens it may become a member."""

    title = "An invitation"

    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            row = invitations.of_token(token)
        except Refused as error:
            return self.shown(request, str(error))
        self.title = f"You are invited to {row.organization}"
        return self.shown(
            request,
            text=f"{row.inviter} invites you as {row.get_role_display()}. You are signed in as "
            f"{self.user}.",
            button="Accept",
        )

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        try:
            invitations.accept(token, by=self.user)
        except Refused as error:
            return self.shown(request, str(error))
        return HttpResponseRedirect(reverse("admin:index"))


class ChoosePasswordPage(View):
    """``/admin/reset/<uid>/<token>/``: whoever has the mailed link chooses a password."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response: Any = super().dispatch(request, *args, **kwargs)
        # The address of the page is a secret.
        response["Referrer-Policy"] = "no-referrer"
        response["Cache-Control"] = "no-store"
        return cast(HttpResponse, response)

    def shown(self, request: HttpRequest, form: SetPasswordForm[User] | None) -> HttpResponse:
        context = site.each_context(request) | {
            "title": "Choose a password",
            "form": form,
            "problem": "" if form else passwords.BAD_LINK,
        }
        return TemplateResponse(request, "portal/choose_password.html", context)

    def form(self, uid: str, token: str, data: Any = None) -> SetPasswordForm[User] | None:
        user = passwords.user_of_link(uid, token)
        return None if user is None else SetPasswordForm(user, data)

    def get(self, request: HttpRequest, uid: str, token: str) -> HttpResponse:
        return self.shown(request, self.form(uid, token))

    def post(self, request: HttpRequest, uid: str, token: str) -> HttpResponse:
        form = self.form(uid, token, request.POST)
        if form is None or not form.is_valid():
            return self.shown(request, form)
        try:
            passwords.reset_password(uid, token, form.cleaned_data["new_password1"])
        except Refused as error:
            form.add_error(None, str(error))
            return self.shown(request, form)
        messages.success(request, "Your password is set. Sign in with it.")
        return HttpResponseRedirect(reverse("admin:login"))
