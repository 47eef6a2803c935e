"""Admin of sites and site grants."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.email_addresses import is_same_email
from controller.accounts.models import Membership, Site, SiteGrant
from controller.accounts.rules import sites
from controller.accounts.rules.emails import candidates
from controller.base.admin import (
    RuleAdmin,
    RuleForm,
    RuleTabularInline,
    ScopedRelatedFilter,
    UnfoldAdminTextInputWidget,
    badge,
    display,
)


class GrantForm(RuleForm):
    """Form of a grant; the member is entered by name or e-mail."""

    person = forms.CharField(
        label=_("Member"),
        help_text=_("User name or e-mail."),
        widget=UnfoldAdminTextInputWidget,
    )
    user: Any = None

    class Meta:
        model = SiteGrant
        fields = ["person", "level"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["person"].disabled = True
            self.initial["person"] = self.instance.membership.user.username

    def clean_person(self) -> Any:
        if self.instance.pk:
            return self.instance.membership
        name = self.cleaned_data["person"].strip()
        named = candidates(name, "user__email") if "@" in name else Q(user__username=name)
        member = Membership.objects.filter(
            named, organization=self.instance.site.organization_id
        ).first()
        if member is not None and "@" in name and not is_same_email(member.user.email, name):
            member = None
        if member is None:
            raise forms.ValidationError(gettext("The organization has no such member."))
        return member

    def apply_rule(self) -> SiteGrant:
        return sites.grant(
            self.cleaned_data["person"], self.instance.site, self.cleaned_data["level"],
            by=self.user,
        )  # fmt: skip


class GrantInline(RuleTabularInline):
    model = SiteGrant
    form = GrantForm
    resource = "user"
    verbose_name = _("grant")
    delete_rule = sites.revoke_grant
    verbose_name_plural = _("Access")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        return rows.select_related("membership__user", "site")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.may(request, "update", obj)


@admin.register(Site)
class SiteAdmin(RuleAdmin):
    empty_hint = _("A site groups devices and people within an organization.")
    search_rank = 12
    search_icon = "apartment"
    change_form_after_template = "portal/part_charts.html"
    resource = "site"
    create_rule = sites.create_site
    update_rule = sites.update_site
    delete_rule = sites.delete_site
    list_display = ["name", "organization", "where", "device_count", "state"]
    list_filter = [("organization", ScopedRelatedFilter), "is_active"]
    list_select_related = ["organization"]
    search_fields = ["name", "slug", "city", "country"]
    inlines = [GrantInline]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    "organization",
                    ("name", "slug"),
                    "description",
                    "address",
                    ("city", "country"),
                    ("timezone", "gateway_ip"),
                    "is_active",
                ]
            },
        )
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).annotate(number=Count("devices"))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["organization", "slug"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        return list(super().get_inlines(request, obj)) if obj else []

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Any]:
        return {} if obj else {"slug": ["name"]}

    @display(description=_("City"))
    def where(self, obj: Site) -> str:
        return ", ".join(filter(None, [obj.city, obj.country])) or "-"

    @display(description=_("Devices"), ordering="number")
    def device_count(self, obj: Any) -> int:
        return int(obj.number)

    @display(description=_("State"), ordering="is_active")
    def state(self, obj: Site) -> str:
        return (
            badge(gettext("Active"), "good")
            if obj.is_active
            else badge(gettext("Inactive"), "mute")
        )
