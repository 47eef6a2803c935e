from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from controller.accounts.api.serializers import SignIn
from controller.accounts.rules import issue_token
from controller.dialects.openwisp import View


class TokenView(View):
    """Exchange a user name or e-mail and a password for an API token."""

    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = SignIn

    @extend_schema(request=SignIn, responses=SignIn, operation_id="users_token_create")
    def post(self, request: Request) -> Response:
        sign_in = SignIn(data=request.data, context={"request": request})
        sign_in.is_valid(raise_exception=True)
        token = issue_token(sign_in.validated_data["user"], name="API sign-in")
        return Response({"token": token})
