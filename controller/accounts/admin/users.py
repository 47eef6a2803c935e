"""Admin of users, for superusers; members are on their organization's page."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.urls import path

from controller.accounts import rules
from controller.accounts.admin import mfa
from controller.accounts.models import Membership, User
from controller.accounts.rules import sessions
from controller.base.admin import (
    AdminPasswordChangeForm,
    ModelAdmin,
    RuleAdmin,
    RuleForm,
    RuleTabularInline,
    UserChangeForm,
    UserCreationForm,
    badge,
    display,
)

# Permissions follow from roles in organizations; Django's groups would be a second source.
admin.site.unregister(Group)


class MembershipInline(RuleTabularInline):
    model = Membership
    resource = "user"
    fields = ["organization", "role"]
    create_rule = rules.grant
    update_rule = rules.change_role
    delete_rule = rules.revoke

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return []

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        user: Any = request.user
        return user.is_active and user.is_superuser


class ChangeForm(UserChangeForm, RuleForm):
    """User form without the password, which has a page of its own."""

    def rule_values(self) -> dict[str, Any]:
        return {name: v for name, v in super().rule_values().items() if name != "password"}


class PasswordForm(AdminPasswordChangeForm):
    """Ends the sessions of who gets a new password."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        user = super().save(commit=False)
        if commit:
            # Superusers alone come to this page.
            user.save()
            sessions.revoke_all(user, because="the password was changed")
        return user


class NewForm(UserCreationForm):
    class Meta(UserCreationForm.Meta):
        model = User
        fields = ["username", "email"]


@admin.register(User)
class UserAdmin(DjangoUserAdmin, RuleAdmin):  # type: ignore[misc, type-arg]
    search_rank = 19
    search_icon = "person"
    resource = "user"
    form = ChangeForm
    add_form = NewForm
    change_password_form = PasswordForm
    update_rule = rules.update_user
    delete_rule = rules.delete_user
    list_display = ["person", "email", "kind", "organizations", "last_login"]
    list_filter = ["is_active", "is_superuser", "is_staff"]
    search_fields = ["username", "email", "first_name", "last_name"]
    readonly_fields = ["last_login", "date_joined"]
    filter_horizontal = []
    inlines = [MembershipInline]
    fieldsets = [
        (None, {"fields": [("username", "email"), ("first_name", "last_name"), "password"]}),
        (
            "Access",
            {
                "fields": [
                    "is_active",
                    "is_staff",
                    "is_superuser",
                    ("last_login", "date_joined"),
                ]
            },
        ),
    ]
    add_fieldsets = [
        (None, {"fields": ["username", "email", "usable_password", "password1", "password2"]})
    ]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(mfa.page)
        return [path("second-factor/", view, name=mfa.NAME), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = ModelAdmin.get_queryset(self, request)
        return rows.annotate(organization_count=Count("memberships"))

    def may(self, request: HttpRequest, verb: str, obj: Any = None) -> bool:
        """Permit superusers only: users belong to no organization."""
        user: Any = request.user
        return user.is_active and user.is_superuser

    def get_form(  # type: ignore[override]
        self, request: HttpRequest, obj: Any = None, **kwargs: Any
    ) -> Any:
        if obj is None:
            return DjangoUserAdmin.get_form(self, request, obj, **kwargs)
        return super().get_form(request, obj, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if not change:
            obj.save()

    @display(description="User", header=True, ordering="username")
    def person(self, obj: User) -> list[str]:
        return [obj.username, obj.get_full_name()]

    @display(description="Kind")
    def kind(self, obj: User) -> str:
        if not obj.is_active:
            return badge("Inactive", "mute")
        return badge("Superuser", "busy") if obj.is_superuser else badge("User", "good")

    @display(description="Organizations", ordering="organization_count")
    def organizations(self, obj: Any) -> int:
        return int(obj.organization_count)
