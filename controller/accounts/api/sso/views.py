"""Single sign-on by OpenID Connect, for the admin and for API clients.

django-allauth implements the protocol; these views map the result to an account and a
session.
"""

from typing import Any

from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.openid_connect.views import callback
from django.conf import settings
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from requests import RequestException, Session
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.api.auth import serializers as shapes
from controller.accounts.api.auth.views import signed_in
from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.sso import PROVIDER, authenticate_subject
from controller.base.errors import (
    NotAuthenticated,
    NotFound,
    NotPermitted,
    Refused,
    Unreachable,
)
from controller.base.outbound import Kind
from controller.base.outbound.requests_adapter import session
from controller.dialects import freesdn

USER, DESTINATION = "sso_user", "sso_to"
DESTINATIONS = ("api", "admin")
BACKEND = "controller.accounts.rules.EmailOrUsernameBackend"


class Adapter(DefaultSocialAccountAdapter):
    """Adapter that looks up the account by our rule and reports errors in the dialect."""

    def get_requests_session(self) -> Session:
        return session(Kind.SERVICE)

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        told = sociallogin.account.extra_data
        claims = told.get("userinfo") or told.get("id_token") or told
        try:
            user = authenticate_subject(
                str(sociallogin.account.uid),
                email=claims.get("email") or "",
                is_verified=claims.get("email_verified") is True,
                username=claims.get("preferred_username") or "",
                first_name=claims.get("given_name") or "",
                last_name=claims.get("family_name") or "",
            )
        except Refused as error:
            record_audit("sign_in", outcome="refused", organization_id=None, detail=str(error),
                   object_type="accounts.user", object_name=str(claims.get("email", ""))[:150])  # fmt: skip
            raise ImmediateHttpResponse(told_to(request, error)) from error
        request.session[USER] = str(user.pk)

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None,
        extra_context: Any = None,
    ) -> None:  # fmt: skip
        refusal: Refused = NotAuthenticated("The provider did not sign you in. Try once more.")
        if isinstance(exception, RequestException):
            refusal = Unreachable("The provider of the single sign-on does not answer.")
        raise ImmediateHttpResponse(told_to(request, refusal))


def told_to(request: HttpRequest, error: Refused) -> HttpResponse:
    answer = freesdn.refusal(error)
    return freesdn.plain_error(request, answer.status_code, str(error))


def provider_for(request: HttpRequest) -> Any:
    if not settings.MUSTER_OIDC_URL:
        raise NotFound("Single sign-on is not set up; MUSTER_OIDC_URL is empty.")
    return get_adapter().get_provider(request, provider=PROVIDER)


class OpenView(freesdn.View):
    """View for browsers returning from the provider; protected by the OAuth state."""

    authentication_classes = []
    permission_classes = [AllowAny]


class StartView(OpenView):
    @extend_schema(
        operation_id="auth_oidc_login", responses={302: None},
        parameters=[OpenApiParameter("to", str, enum=DESTINATIONS)],
    )  # fmt: skip
    def get(self, request: Request) -> HttpResponse:
        """Redirect to the OpenID Connect provider; afterwards the user is signed in.

        ``to`` selects the result: ``api`` returns tokens as ``/auth/login`` does, ``admin``
        opens the admin.
        """
        plain = request._request
        provider = provider_for(plain)
        destination = request.query_params.get("to", "api")
        if destination not in DESTINATIONS:
            raise Refused({"to": [f"One of {', '.join(DESTINATIONS)} is expected."]})
        plain.session[DESTINATION] = destination
        try:
            answer: HttpResponse = provider.redirect(
                plain, process=AuthProcess.REDIRECT, next_url=reverse("auth_oidc_done")
            )
        except ImmediateHttpResponse as immediate:
            return immediate.response
        except RequestException as error:
            raise Unreachable("The provider of the single sign-on does not answer.") from error
        return answer


class CallbackView(OpenView):
    @extend_schema(operation_id="auth_oidc_callback", responses={302: None})
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        """Handle the redirect back from the provider."""
        provider_for(request._request)
        if provider_id != PROVIDER:
            raise NotFound("There is no such provider.")
        try:
            answer: HttpResponse = callback(request._request, PROVIDER)
        except RequestException as error:
            raise Unreachable("The provider of the single sign-on does not answer.") from error
        return answer


class DoneView(OpenView):
    @extend_schema(operation_id="auth_oidc_done", responses={200: shapes.TokenPair, 302: None})
    def get(self, request: Request) -> Response | HttpResponse:
        """Open the session after a completed single sign-on; valid once."""
        kept = request._request.session
        to, user_id = kept.pop(DESTINATION, "api"), kept.pop(USER, None)
        user = User.objects.filter(pk=user_id).first() if user_id else None
        if user is None:
            raise NotAuthenticated("Begin at /api/v1/auth/oidc/login.")
        if not user.may_sign_in:
            raise NotPermitted("This account may not sign in.")
        if to == "admin":
            login(request._request, user, backend=BACKEND)
            record_audit("sign_in", user, by=user, detail="single sign-on")
            return HttpResponseRedirect(reverse("admin:index"))
        kept.flush()
        return signed_in(request, user)
