"""Sign-in, sign-out, sessions and MFA in the FreeSDN dialect."""

from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import segno
from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.api.auth import serializers as shapes
from controller.accounts.models import Session, User
from controller.accounts.rules import (
    authenticate_password,
    emails,
    invitations,
    mfa,
    passwords,
    sessions,
    sign_in_tokens,
    users,
)
from controller.base.errors import NotAuthenticated, NotFound, NotPermitted, Refused
from controller.celery import enqueue_on_commit
from controller.dialects.authentication import Credential
from controller.dialects.cookies import ACCESS_COOKIE, CSRF_COOKIE, REFRESH_COOKIE
from controller.dialects.freesdn import View, unavailable
from controller.dialects.parsers import JSONParser

API_PATH = "/api/v1/"
AUTH_PATH = "/api/v1/auth/"
ALL_COOKIES = ((ACCESS_COOKIE, API_PATH), (REFRESH_COOKIE, AUTH_PATH), (CSRF_COOKIE, "/"))


class Reading(View):
    def read(self, shape: type[Any]) -> dict[str, Any]:
        """Validate the request body with this serializer and return its values."""
        given = shape(data=self.request.data)
        given.is_valid(raise_exception=True)
        values: dict[str, Any] = given.validated_data
        return values


class PublicView(Reading):
    """View without authentication; refuses pages of other origins."""

    authentication_classes = []
    permission_classes = [AllowAny]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        origin = request.headers.get("origin") or request.headers.get("referer")
        if not origin:
            return
        parts = urlsplit(origin)
        trusted = f"{parts.scheme}://{parts.netloc}" in settings.CSRF_TRUSTED_ORIGINS
        if parts.netloc != request.get_host() and not trusted:
            raise NotPermitted("cross-origin login blocked")


def signed_in(request: Request, user: User, *, remember: bool = False) -> Response:
    """Open a session and return its tokens, in the body and as cookies."""
    tokens = sessions.open_session(
        user,
        user_agent=request.headers.get("user-agent", ""),
        address=request.META.get("REMOTE_ADDR"),
        remember=remember,
    )
    return with_tokens(tokens)


def with_tokens(tokens: sessions.Tokens) -> Response:
    response = Response(shapes.TokenPair.of(tokens))
    lasting = sessions.REMEMBERED_FOR if tokens.session.is_remembered else sessions.REFRESH_FOR
    cookies = (
        (ACCESS_COOKIE, tokens.access, API_PATH, sessions.ACCESS_FOR, True),
        (REFRESH_COOKIE, tokens.refresh, AUTH_PATH, lasting, True),
        (CSRF_COOKIE, sessions.csrf_token(tokens.session.pk), "/", lasting, False),
    )
    for name, value, path, age, hidden in cookies:
        response.set_cookie(
            name, value, max_age=age, path=path, httponly=hidden, samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )  # fmt: skip
    return response


def without_cookies(response: Response) -> Response:
    for name, path in ALL_COOKIES:
        response.delete_cookie(name, path=path, samesite="Lax")
    return response


class LoginView(PublicView):
    @extend_schema(request=shapes.Login, responses=shapes.TokenPair, operation_id="auth_login")
    def post(self, request: Request) -> Response:
        """Sign in with a password. Returns tokens, or a request for the second factor."""
        given = self.read(shapes.Login)
        user = authenticate_password(given["login"], given["password"], request._request)
        if mfa.is_enabled(user):
            token = sessions.second_factor_token(user, remember=given["remember_me"])
            return Response({"require_mfa": True, "mfa_token": token})
        return signed_in(request, user, remember=given["remember_me"])


class FormTokenView(PublicView):
    parser_classes = [FormParser, MultiPartParser, JSONParser]

    @extend_schema(
        request=shapes.FormSignIn, responses=shapes.TokenPair, operation_id="auth_token"
    )
    def post(self, request: Request) -> Response:
        """Sign in with form data, as OAuth 2 password clients do."""
        given = self.read(shapes.FormSignIn)
        user = authenticate_password(given["username"], given["password"], request._request)
        if mfa.is_enabled(user):
            raise Refused("This account has MFA enabled: sign in by /auth/login.")
        return signed_in(request, user)


class SecondFactorView(PublicView):
    @extend_schema(
        request=shapes.SecondFactor, responses=shapes.TokenPair, operation_id="auth_login_mfa"
    )
    def post(self, request: Request) -> Response:
        """Complete a sign-in with an authenticator code or a backup code."""
        given = self.read(shapes.SecondFactor)
        user, remember = sessions.authenticate_second_factor_token(given["mfa_token"])
        mfa.verify_code(user, given["code"])
        return signed_in(request, user, remember=remember)


class RefreshView(PublicView):
    @extend_schema(
        request=shapes.Refresh, responses=shapes.TokenPair, operation_id="auth_refresh"
    )
    def post(self, request: Request) -> Response:
        """Exchange a refresh token, which is valid once, for new tokens."""
        given = self.read(shapes.Refresh)
        token = given.get("refresh_token") or request.COOKIES.get(REFRESH_COOKIE)
        if not token:
            raise NotAuthenticated("No refresh token provided")
        return with_tokens(sessions.refresh(token))


class RegisterView(PublicView):
    @extend_schema(
        request=shapes.Registration,
        responses={201: shapes.Message},
        operation_id="auth_register",
    )
    def post(self, request: Request) -> Response:
        """Register an account, if the portal allows registration."""
        if not settings.MUSTER_REGISTRATION:
            raise NotPermitted("Registration is turned off; ask an administrator.")
        users.register(**self.read(shapes.Registration))
        return Response({"message": "If the e-mail was free, the account is there."}, 201)


class ResetRequestView(PublicView):
    @extend_schema(
        request=shapes.ResetRequest, responses=shapes.Message, operation_id="auth_reset_request"
    )
    def post(self, request: Request) -> Response:
        """Request an e-mail with a password reset link."""
        user = passwords.find_user(self.read(shapes.ResetRequest)["email"])
        # Enqueued in either case, so that response time does not reveal whether the account
        # exists.
        enqueue_on_commit(
            "controller.accounts.tasks.mail_reset", str(user.pk if user else uuid4())
        )
        return Response({"message": "If the account exists, an e-mail is on its way."})


class ResetView(PublicView):
    @extend_schema(
        request=shapes.Reset, responses=shapes.Message, operation_id="auth_password_reset"
    )
    def post(self, request: Request) -> Response:
        """Set a new password with the token of the e-mail (``uid.token`` or the whole link)."""
        given = self.read(shapes.Reset)
        parts: list[str] = given["token"].strip("/").replace(".", "/").split("/")
        uid, token = ["", *parts][-2:]
        try:
            passwords.reset_password(uid, token, given["new_password"])
        except Refused as error:
            if "new_password" in error.by_field:
                raise
            raise Refused(passwords.BAD_LINK) from error
        return Response({"message": "The password is set."})


class SamlView(PublicView):
    @extend_schema(
        operation_id="auth_saml", request=None, responses={501: OpenApiTypes.OBJECT},
        parameters=[OpenApiParameter("rest", str, OpenApiParameter.PATH)],
    )  # fmt: skip
    def get(self, request: Request, rest: str = "") -> Response:
        """Not available: SAML is not supported in this release."""
        return unavailable("SAML is not available in this release; use OpenID Connect.")

    @extend_schema(exclude=True)
    def post(self, request: Request, rest: str = "") -> Response:
        return self.get(request, rest)


class OwnView(Reading):
    """View of the authenticated user's own data; not available to API keys."""

    permission_classes = [IsAuthenticated]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if isinstance(request.auth, Credential) and request.auth.kind == "key":
            raise NotPermitted("An API key cannot do this; sign in.")

    @property
    def session(self) -> Session | None:
        auth = self.request.auth
        return auth.session if isinstance(auth, Credential) else None

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101 - IsAuthenticated has let it in
        return user


class MeView(View):
    permission_classes = [IsAuthenticated]

    @property
    def user(self) -> User:
        user = self.request.user
        assert isinstance(user, User)  # noqa: S101 - IsAuthenticated has let it in
        return user

    @extend_schema(responses=shapes.Me, operation_id="auth_me")
    def get(self, request: Request) -> Response:
        """Return the authenticated user's profile and permissions."""
        return Response(shapes.Me(self.user).data)

    @extend_schema(request=shapes.Me, responses=shapes.Me, operation_id="auth_me_update")
    def patch(self, request: Request) -> Response:
        """Change the authenticated user's name, user name or language."""
        if isinstance(request.auth, Credential) and request.auth.kind == "key":
            raise NotPermitted("An API key cannot do this; sign in.")
        given = shapes.Me(self.user, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        user = users.update_self(by=self.user, **given.validated_data)
        return Response(shapes.Me(user).data)


class LogoutView(OwnView):
    @extend_schema(request=None, responses=shapes.Message, operation_id="auth_logout")
    def post(self, request: Request) -> Response:
        """Sign out: revoke this session and all its tokens."""
        auth = request.auth
        if isinstance(auth, Credential) and auth.session is not None:
            sessions.revoke(auth.session, because="signed out")
        elif isinstance(auth, Credential) and auth.secret:
            sign_in_tokens.forget_token(self.user, auth.secret)
        return without_cookies(Response({"message": "Signed out."}))


class LogoutEverywhereView(OwnView):
    @extend_schema(request=None, responses=shapes.Message, operation_id="auth_logout_all")
    def post(self, request: Request) -> Response:
        """Revoke all sessions of the authenticated user."""
        sessions.revoke_all(self.user, because="signed out everywhere")
        return without_cookies(Response({"message": "Signed out everywhere."}))


class SessionsView(OwnView):
    @extend_schema(responses=shapes.SessionList, operation_id="auth_sessions")
    def get(self, request: Request) -> Response:
        """List the user's current and recent sessions."""
        rows = Session.objects.filter(user=self.user)[:100]
        current = {"current": self.session.pk if self.session else None}
        return Response({"sessions": shapes.SessionRow(rows, many=True, context=current).data})


class SessionView(OwnView):
    @extend_schema(responses={200: shapes.Message}, operation_id="auth_session_revoke")
    def delete(self, request: Request, pk: str) -> Response:
        """Revoke one of the user's own sessions."""
        row = Session.objects.filter(user=self.user, pk=pk).first()
        if row is None:
            raise NotFound("Session not found")
        sessions.revoke(row, because="revoked by its user")
        return Response({"message": "Session revoked."})


class PasswordView(OwnView):
    @extend_schema(
        request=shapes.PasswordChange, responses=shapes.Message, operation_id="auth_password"
    )
    def post(self, request: Request) -> Response:
        """Change the user's own password. All other sessions end."""
        given = self.read(shapes.PasswordChange)
        passwords.change_password(
            self.user,
            current=given["current_password"],
            new=given["new_password"],
            session=self.session,
        )
        return Response({"message": "The password is changed."})


class ConfirmEmailView(OwnView):
    @extend_schema(
        request=shapes.LinkToken, responses=shapes.Message, operation_id="auth_email_confirm"
    )
    def post(self, request: Request) -> Response:
        """Prove an e-mail address of one's own with the token of the link that it was sent."""
        row = emails.confirm(self.read(shapes.LinkToken)["token"], by=self.user)
        return Response({"message": f"{row.email} is yours."})


class AcceptInvitationView(OwnView):
    @extend_schema(
        request=shapes.LinkToken, responses=shapes.Message, operation_id="auth_invitation"
    )
    def post(self, request: Request) -> Response:
        """Become a member of the organization of an invitation."""
        member = invitations.accept(self.read(shapes.LinkToken)["token"], by=self.user)
        return Response({"message": f"You are a member of {member.organization}."})


class SecondFactorSetupView(OwnView):
    @extend_schema(
        request=shapes.OwnPassword,
        responses=shapes.SecondFactorSetup,
        operation_id="auth_mfa_setup",
    )
    def post(self, request: Request) -> Response:
        """Create a TOTP secret and backup codes; both are shown only once."""
        self.confirm_password()
        setup = mfa.start_setup(self.user)
        return Response(
            {
                "secret": setup.secret,
                "uri": setup.uri,
                "qr_svg": segno.make(setup.uri).svg_inline(scale=5),
                "backup_codes": setup.backup_codes,
            }
        )

    def confirm_password(self) -> None:
        given = self.read(shapes.OwnPassword)
        users.confirm_password(self.user, given["password"])


class SecondFactorOnView(OwnView):
    @extend_schema(
        request=shapes.Code, responses=shapes.Message, operation_id="auth_mfa_enable"
    )
    def post(self, request: Request) -> Response:
        """Enable MFA with a first code. Other sessions end."""
        mfa.enable(self.user, self.read(shapes.Code)["code"])
        sessions.revoke_all(self.user, because="MFA was turned on", but=self.session)
        return Response({"message": "MFA is on."})


class SecondFactorOffView(SecondFactorSetupView):
    @extend_schema(
        request=shapes.PasswordAndCode,
        responses=shapes.Message,
        operation_id="auth_mfa_disable",
    )
    def post(self, request: Request) -> Response:
        """Disable MFA. Requires the user's password and a code."""
        given = self.read(shapes.PasswordAndCode)
        users.confirm_password(self.user, given["password"])
        mfa.disable(self.user, given["code"])
        sessions.revoke_all(self.user, because="MFA was turned off", but=self.session)
        return Response({"message": "MFA is off."})
