"""How a request says who it is from: one place for all dialects."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from controller.accounts.models import User
from controller.accounts.rules import user_of_token


class TokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer <token>`` or ``Authorization: Token <token>``."""

    keywords = (b"bearer", b"token")

    def authenticate(self, request: Request) -> tuple[User, str] | None:
        parts = get_authorization_header(request).split()
        if not parts or parts[0].lower() not in self.keywords:
            return None
        try:
            (token,) = parts[1:]
            user = user_of_token(token.decode("ascii"))
        except ValueError:
            raise AuthenticationFailed("Invalid token header.") from None
        if user is None:
            raise AuthenticationFailed("Invalid token.")
        return user, "token"

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
