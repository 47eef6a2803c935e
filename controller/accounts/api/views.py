"""Users, organizations, groups, e-mails and passwords in the OpenWISP dialect."""

from functools import cached_property
from typing import Any
from uuid import uuid4

from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.viewsets import ModelViewSet

from controller.accounts.api import serializers as shapes
from controller.accounts.models import Organization, User
from controller.accounts.rules import (
    emails,
    organizations,
    passwords,
    permission_groups,
    sign_in_tokens,
    users,
)
from controller.accounts.rules.ranks import check_can_manage_user, refuse_keys
from controller.base.errors import NotPermitted
from controller.celery import enqueue_on_commit
from controller.dialects.openwisp import (
    HasResourcePermission,
    Pagination,
    RuleViewSet,
    View,
    require_user,
)


class TokenView(View):
    """Exchange a user name or e-mail and a password for an API token."""

    authentication_classes = []
    permission_classes = [AllowAny]
    serializer_class = shapes.SignIn

    @extend_schema(
        request=shapes.SignIn, responses=shapes.SignIn, operation_id="users_token_create"
    )
    def post(self, request: Request) -> Response:
        sign_in = shapes.SignIn(data=request.data, context={"request": request})
        sign_in.is_valid(raise_exception=True)
        user = sign_in.validated_data["user"]
        return Response({"token": sign_in_tokens.token_for(user, name="API sign-in")})


class OrganizationViewSet(RuleViewSet):
    """Organizations of which the caller is a member."""

    queryset = Organization.objects.order_by("-created", "pk")
    resource = "organization"
    create_rule = staticmethod(organizations.create_organization)
    update_rule = staticmethod(organizations.update_organization)
    delete_rule = staticmethod(organizations.delete_organization)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        organization: Any = serializer.instance
        serializer.instance = organizations.update_organization(
            organization, by=require_user(self.request), **serializer.validated_data
        )

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        short = self.action in {"list", "create"}
        return shapes.OrganizationList if short else shapes.OrganizationDetail


class SuperusersOnly(HasResourcePermission):
    """Permission to write for superusers only, since groups apply to all organizations."""

    def has_permission(self, request: Request, view: Any) -> bool:
        user = request.user
        return super().has_permission(request, view) and bool(
            isinstance(user, User) and (user.is_superuser or request.method in {"GET", "HEAD"})
        )

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return True


class GroupViewSet(View, ModelViewSet[Group]):
    """Groups: sets of permissions that users have in addition to their role."""

    queryset = Group.objects.order_by("name").prefetch_related("permissions__content_type")
    serializer_class = shapes.GroupShape
    resource = "usergroup"
    permission_classes = [SuperusersOnly]
    pagination_class = Pagination

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = permission_groups.save_group(
            by=require_user(self.request), **serializer.validated_data
        )

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        permission_groups.save_group(
            serializer.instance, by=require_user(self.request), **serializer.validated_data
        )

    def perform_destroy(self, instance: Group) -> None:
        permission_groups.delete_group(instance, by=require_user(self.request))


class MayManage(HasResourcePermission):
    """Permission check that leaves row access to the queryset and the rule."""

    def has_object_permission(self, request: Request, view: Any, obj: Any) -> bool:
        return True


class UserViewSet(RuleViewSet):
    """Users of the organizations that the caller manages."""

    queryset = User.objects.order_by("-date_joined", "id")
    resource = "user"
    permission_classes = [MayManage]
    permissions = {"password": "user:update"}

    def get_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset()
        return rows.prefetch_related("groups", "memberships", "user_permissions")

    def get_serializer_class(self) -> type[BaseSerializer[Any]]:
        return shapes.UserList if self.action in {"list", "create"} else shapes.UserDetail

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        values = with_members(serializer.validated_data)
        serializer.instance = users.create_user(by=require_user(self.request), **values)

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        values = with_members(serializer.validated_data)
        user: Any = serializer.instance
        users.update_user(user, by=require_user(self.request), **values)
        serializer.instance = self.get_queryset().get(pk=user.pk)

    def perform_destroy(self, instance: Any) -> None:
        users.delete_user(instance, by=require_user(self.request))


def with_members(values: dict[str, Any]) -> dict[str, Any]:
    return {"organization_users" if k == "memberships" else k: v for k, v in values.items()}


class PersonView(View):
    """View of data of one user, for the user and for their managers."""

    permission_classes = [IsAuthenticated]

    @cached_property
    def person(self) -> User:
        user = require_user(self.request)
        found: User = get_object_or_404(
            User.objects.visible_to(user), pk=self.kwargs["user_id"]
        )
        if found.pk != user.pk:
            verb = "read" if self.request.method in {"GET", "HEAD"} else "update"
            if not user.has_perm_anywhere(f"user:{verb}"):
                raise NotPermitted("You do not have permission to perform this action.")
            check_can_manage_user(user, found)
        refuse_keys(user)
        return found


class PasswordView(PersonView):
    @extend_schema(
        request=shapes.NewPassword, responses=shapes.Done, operation_id="users_user_password"
    )
    def put(self, request: Request, user_id: str) -> Response:
        """Set a password: one's own with the current one, or that of a managed user."""
        person = self.person
        given = shapes.NewPassword(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        if person.pk == require_user(request).pk:
            passwords.change_password(
                person, current=values["current_password"] or "", new=values["new_password"]
            )
        else:
            passwords.set_password(person, values["new_password"], by=require_user(request))
        return Response({"status": "Success", "message": "Password updated successfully"})


class EmailViewSet(PersonView, ModelViewSet[EmailAddress]):
    """E-mail addresses of a user."""

    queryset = EmailAddress.objects.order_by("pk")
    serializer_class = shapes.EmailShape
    pagination_class = Pagination
    lookup_url_kwarg = "email_id"

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        _ = self.person  # 404 before the body is validated

    def get_queryset(self) -> QuerySet[EmailAddress]:
        if getattr(self, "swagger_fake_view", False):
            return super().get_queryset().none()
        return super().get_queryset().filter(user=self.person)

    def perform_create(self, serializer: BaseSerializer[Any]) -> None:
        serializer.instance = emails.add(
            self.person, by=require_user(self.request), **serializer.validated_data
        )

    def perform_update(self, serializer: BaseSerializer[Any]) -> None:
        row: Any = serializer.instance
        serializer.instance = emails.change(
            row, by=require_user(self.request), **serializer.validated_data
        )

    def perform_destroy(self, instance: EmailAddress) -> None:
        emails.remove(instance, by=require_user(self.request))


class OwnPasswordView(View):
    permission_classes = [IsAuthenticated]

    @extend_schema(
        request=shapes.OwnPasswordChange,
        responses=shapes.Detail,
        operation_id="users_password_change",
    )
    def post(self, request: Request) -> Response:
        """Change one's own password."""
        refuse_keys(require_user(request))
        given = shapes.OwnPasswordChange(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        passwords.change_password(
            require_user(request),
            current=values["old_password"],
            new=values["new_password1"],
            fields=("old_password", "new_password1"),
        )
        return Response({"detail": "New password has been saved."})


class PasswordResetView(View):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        request=shapes.PasswordReset,
        responses=shapes.Detail,
        operation_id="users_password_reset",
    )
    def post(self, request: Request) -> Response:
        """Request an e-mail with a password reset link."""
        given = shapes.PasswordReset(data=request.data)
        given.is_valid(raise_exception=True)
        user = passwords.find_user(given.validated_data["input"])
        # Enqueued in either case, so that response time does not reveal whether the account
        # exists.
        enqueue_on_commit(
            "controller.accounts.tasks.mail_reset", str(user.pk if user else uuid4())
        )
        return Response({"detail": "Password reset e-mail has been sent."})


class PasswordResetConfirmView(View):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        request=shapes.PasswordResetConfirm,
        responses=shapes.Detail,
        operation_id="users_password_reset_confirm",
    )
    def post(self, request: Request) -> Response:
        """Set a new password with the uid and token of the e-mail."""
        given = shapes.PasswordResetConfirm(data=request.data)
        given.is_valid(raise_exception=True)
        values = given.validated_data
        passwords.reset_password(
            values["uid"], values["token"], values["new_password1"], field="new_password1"
        )
        return Response({"detail": "Password has been reset with the new password."})
