"""Admin of organizations with their members and device settings."""

from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts import rules
from controller.accounts.models import Invitation, Membership, Organization, Site, User
from controller.accounts.rules import emails, invitations
from controller.accounts.rules.ranks import is_administrator
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    RuleStackedInline,
    RuleTabularInline,
    SecretWidget,
    UnfoldAdminTextInputWidget,
    action,
    badge,
    display,
)
from controller.base.forms import VariablesWidget
from controller.configs.rules.organization_settings import update_settings
from controller.connections.engine.commands import KINDS
from controller.devices.models import Device, OrganizationSettings
from controller.devices.rules import rotate_shared_secret, settings_of


class MemberForm(RuleForm):
    """Form of a member, entered by name or e-mail; a list would expose other tenants."""

    person = forms.CharField(
        label=_("User"), help_text=_("User name or e-mail."), widget=UnfoldAdminTextInputWidget
    )

    class Meta:
        model = Membership
        fields = ["person", "role"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["person"].disabled = True
            self.initial["person"] = self.instance.user.username

    def clean_person(self) -> Any:
        name = self.cleaned_data["person"].strip()
        if "@" in name:
            user = emails.account_of(name)
        else:
            user = User.objects.filter(username=name).first()
        if user is None:
            raise forms.ValidationError(gettext("Nobody has this user name or e-mail."))
        return user

    def rule_values(self) -> dict[str, Any]:
        values = super().rule_values()
        user = values.pop("person")
        return values if self.instance.pk else values | {"user": user}


class MemberInline(RuleTabularInline):
    model = Membership
    form = MemberForm
    resource = "organization"
    verbose_name = _("member")
    create_rule = rules.grant
    update_rule = rules.change_role
    delete_rule = rules.revoke

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "organization")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Superusers alone: everybody else invites people, who accept."""
        return is_administrator(cast(User, request.user)) and self.may(request, "update", obj)

    # Members are part of the organization: changing it includes changing them.
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)


class InvitationInline(RuleTabularInline):
    model = Invitation
    fields = ["email", "role", "place", "level"]
    resource = "user"
    verbose_name = _("invitation")
    verbose_name_plural = _("Open invitations")
    create_rule = invitations.invite
    delete_rule = invitations.withdraw

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.filter(accepted=None).select_related("place")

    def formfield_for_foreignkey(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> Any:
        if db_field.name == "place" and request.resolver_match is not None:
            of = request.resolver_match.kwargs.get("object_id")
            rows = Site.objects.visible_to(request.user)
            kwargs["queryset"] = rows.filter(organization=of)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "read", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)


class DeviceSettingsForm(RuleForm):
    command_types = forms.MultipleChoiceField(
        label=_("Kinds of commands"),
        choices=[(name, _(kind.label)) for name, kind in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Devices accept only these commands. Choose none to allow all."),
    )

    class Meta:
        model = OrganizationSettings
        fields = ["command_types"]


class DeviceSettingsInline(RuleStackedInline):
    model = OrganizationSettings
    form = DeviceSettingsForm
    resource = "organization"
    verbose_name = verbose_name_plural = _("device settings")
    fields = [
        "registration_enabled", "self_creation", "consistent_keys", "enrollment_enabled",
        "device_limit", "shared_secret", "context", "command_types", "management_networks",
    ]  # fmt: skip
    update_rule = update_settings
    max_num = 1
    can_delete = False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_fields(request, obj))
        if not self.may(request, "secret", obj):
            # Variables may contain keys and passwords.
            fields = [name for name in fields if name not in {"shared_secret", "context"}]
        return fields

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "context":
            kwargs["widget"] = VariablesWidget
        if db_field.name == "shared_secret":
            kwargs["widget"] = SecretWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Organization)
class OrganizationAdmin(RuleAdmin):
    search_rank = 11
    search_icon = "domain"
    resource = "organization"
    create_rule = rules.create_organization
    update_rule = rules.update_organization
    delete_rule = rules.delete_organization
    list_display = ["name", "state", "devices", "members", "email"]
    search_fields = ["name", "slug"]
    prepopulated_fields = {"slug": ["name"]}
    inlines = [DeviceSettingsInline, MemberInline, InvitationInline]
    actions_submit_line = ["rotate_secret"]
    actions_list = ["invite_anywhere"]
    actions_detail = ["invite"]
    fieldsets = [
        (None, {"fields": [("name", "slug"), ("email", "url"), "description", "is_active"]})
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .annotate(member_count=Count("memberships", distinct=True))
        )

    def changelist_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.device_counts = dict(
            Device.objects.visible_to(request.user)
            .order_by()
            .values_list("organization")
            .annotate(Count("pk"))
        )
        return super().changelist_view(request, *args, **kwargs)

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        if obj is None:
            return []
        settings_of(obj)
        return list(super().get_inlines(request, obj))

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else dict(self.prepopulated_fields)

    @display(description=_("State"), ordering="is_active")
    def state(self, obj: Organization) -> str:
        return (
            badge(gettext("Active"), "good")
            if obj.is_active
            else badge(gettext("Inactive"), "mute")
        )

    @display(description=_("Members"), ordering="member_count")
    def members(self, obj: Any) -> int:
        return int(obj.member_count)

    @display(description=_("Devices"))
    def devices(self, obj: Organization) -> int:
        return self.device_counts.get(obj.pk, 0)

    def has_invite_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        user: Any = request.user
        if object_id is None:
            return bool(user.has_perm_anywhere("user:update"))
        return bool(user.has_perm_in("user:update", UUID(str(object_id))))

    @action(description=_("Invite a person"), icon="person_add", permissions=["invite"])
    def invite_anywhere(self, request: HttpRequest) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:accounts_user_invite"))

    @action(description=_("Invite a person"), icon="person_add", permissions=["invite"])
    def invite(self, request: HttpRequest, object_id: str) -> HttpResponse:
        url = reverse("admin:accounts_user_invite")
        return HttpResponseRedirect(f"{url}?{urlencode({'organization': object_id})}")

    def has_rotate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        # Called with the row's id when the button is shown and when it is looked up, and
        # without id when
        # it runs.
        obj = self.get_object(request, str(object_id)) if object_id else None
        if object_id and obj is None:
            return False
        return self.may(request, "update", obj) and self.may(request, "secret", obj)

    @action(
        description=_("Save and create a new shared secret"),
        icon="autorenew",
        permissions=["rotate"],
    )
    def rotate_secret(self, request: HttpRequest, obj: Organization) -> None:
        rotate_shared_secret(settings_of(obj))
        self.message_user(
            request,
            gettext(
                "The shared secret was replaced. Devices with the old one can no longer register."
            ),
        )
