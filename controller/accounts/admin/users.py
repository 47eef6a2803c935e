"""Admin of users, for superusers; members are on their organization's page."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts import rules
from controller.accounts.admin import invite, mfa, preferences
from controller.accounts.models import Membership, User
from controller.accounts.rules import sessions
from controller.accounts.rules.users import create_user
from controller.base.admin import (
    AdminPasswordChangeForm,
    ModelAdmin,
    RuleAdmin,
    RuleForm,
    RuleTabularInline,
    UserChangeForm,
    UserCreationForm,
    action,
    badge,
    display,
    rule_attributes,
)
from controller.base.errors import Refused

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


NEW_USER_FIELDS = ["username", "email", "first_name", "last_name", "is_staff", "is_superuser"]


class NewForm(UserCreationForm, RuleForm):
    """Form of a new user, who can sign in unless the switch is turned off."""

    user: User

    class Meta(UserCreationForm.Meta):
        model = User
        fields = NEW_USER_FIELDS

    def validate_password_for_user(self, *_: Any, **__: Any) -> None:
        """Leave the check to the rule, which reports each problem once."""

    def save(self, commit: bool = True) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        return RuleForm.save(self, commit)

    def apply_rule(self) -> User:
        values = {name: self.cleaned_data[name] for name in NEW_USER_FIELDS}
        usable = self.cleaned_data["set_usable_password"]
        password = self.cleaned_data["password1"] if usable else None
        try:
            return create_user(by=self.user, password=password, **values)
        except Refused as error:
            named = {"password": "password1"}
            raise Refused(
                {named.get(field, field): said for field, said in error.by_field.items()}
            ) from error


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
    actions_list = ["invite"]
    fieldsets = [
        (None, {"fields": [("username", "email"), ("first_name", "last_name"), "password"]}),
        (
            _("Access"),
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
        (None, {"fields": [("username", "email"), ("first_name", "last_name")]}),
        (_("Sign-in"), {"fields": ["usable_password", "password1", "password2"]}),
        (_("Access"), {"fields": ["is_staff", "is_superuser"]}),
    ]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("second-factor/", view(mfa.page), name=mfa.NAME),
            path("preferences/", view(preferences.page), name=preferences.NAME),
            path("invite/", view(partial(invite.page, self)), name="accounts_user_invite"),
            *super().get_urls(),
        ]

    @action(description=_("Invite a person"), icon="person_add")
    def invite(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:accounts_user_invite"))

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
            form = DjangoUserAdmin.get_form(self, request, obj, **kwargs)
            return type(form.__name__, (form,), rule_attributes(self, request, "create"))
        return super().get_form(request, obj, **kwargs)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"is_staff": True} | super().get_changeform_initial_data(request)

    @display(description=_("User"), header=True, ordering="username")
    def person(self, obj: User) -> list[str]:
        return [obj.username, obj.get_full_name()]

    @display(description=_("Kind"))
    def kind(self, obj: User) -> str:
        if not obj.is_active:
            return badge(gettext("Inactive"), "mute")
        return (
            badge(gettext("Superuser"), "busy")
            if obj.is_superuser
            else badge(gettext("User"), "good")
        )

    @display(description=_("Organizations"), ordering="organization_count")
    def organizations(self, obj: Any) -> int:
        return int(obj.organization_count)
