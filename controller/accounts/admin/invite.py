"""Page that invites a person: who, role, sites, sign-in and API key in one form."""

from typing import Any

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from controller.accounts.engine.scopes import RANKS
from controller.accounts.models import Membership, Organization, Site, SiteGrant
from controller.accounts.rules.user_onboarding import Invited, KeyOrder, invite_person
from controller.base.admin import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    admin_url,
)
from controller.base.errors import Refused

INVITE = "user:update"
DAYS = [(90, _("In 90 days")), (30, _("In 30 days")), (365, _("In a year")), (0, _("Never"))]
ROLES = {
    Membership.Role.VIEWER: _("Sees devices, charts and configurations. Changes nothing."),
    Membership.Role.OPERATOR: _("Also edits devices, pushes configurations and runs commands."),
    Membership.Role.SITE_ADMIN: _(
        "Also opens terminals and manages gateways of the chosen sites."
    ),
    Membership.Role.ORG_ADMIN: _("Everything in the organization, people included."),
    Membership.Role.ADMIN: _("Everything, and can hand over the organization."),
    Membership.Role.GUEST: _("Sees names and states of devices only."),
}
SCOPES = [
    ("device:read", _("Devices")), ("monitoring:read", _("Monitoring")), ("config:read", _("Configurations")),
    ("gateway:read", _("Gateways")), ("location:read", _("Locations")), ("command:read", _("Commands")),
]  # fmt: skip


class SiteChoices(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, row: Any) -> str:
        return f"{row} ({row.organization})"


class InviteForm(forms.Form):
    email = forms.EmailField(label=_("E-mail address"), widget=UnfoldAdminTextInputWidget)
    full_name = forms.CharField(
        label=_("Name"), required=False, max_length=150, widget=UnfoldAdminTextInputWidget,
        help_text=_("Shown in the audit log."),
    )  # fmt: skip
    organization = forms.ModelChoiceField(
        Organization.objects.none(), widget=UnfoldAdminSelectWidget
    )
    role = forms.ChoiceField(widget=forms.RadioSelect, initial=Membership.Role.VIEWER)
    sites = SiteChoices(
        Site.objects.none(), required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Choose none for all present sites of the organization."),
    )  # fmt: skip
    level = forms.ChoiceField(
        label=_("Access to these sites"), choices=SiteGrant.Level.choices,
        widget=UnfoldAdminSelectWidget, help_text=_("Never more than the role permits."),
    )  # fmt: skip
    signs_in = forms.BooleanField(
        label=_("Sign in to the portal"), required=False, initial=True,
        help_text=_("By a link that is valid for three days. The person chooses a password there."),
    )  # fmt: skip
    has_key = forms.BooleanField(
        label=_("Create an API key"), required=False,
        help_text=_("The key never permits more than the role. It is shown once, to you."),
    )  # fmt: skip
    scopes = forms.MultipleChoiceField(
        label=_("The key may read"), required=False, choices=SCOPES,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text=_("Choose none for everything that the role permits."),
    )  # fmt: skip
    expires_in_days = forms.TypedChoiceField(
        label=_("The key expires"), choices=DAYS, coerce=int, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        owners = invitable(user)
        roles = [role for role in ROLES if any(may_give(user, role, one) for one in owners)]
        fields: dict[str, Any] = self.fields
        fields["organization"].queryset = Organization.objects.filter(
            pk__in=[one.pk for one in owners]
        )
        fields["role"].choices = [(role, role.label) for role in roles]
        fields["sites"].queryset = Site.objects.filter(
            organization__in=owners, is_active=True
        ).select_related("organization")
        if len(owners) == 1:
            fields["organization"].initial = owners[0].pk
            fields["organization"].widget = forms.HiddenInput()
            fields["sites"].label_from_instance = str

    def roles(self) -> list[tuple[forms.boundfield.BoundWidget, str | Promise]]:
        """Return the choices of the role with their descriptions."""
        texts = {str(role): text for role, text in ROLES.items()}
        return [(one, texts[str(one.data["value"])]) for one in self["role"].subwidgets]

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        owner = values.get("organization")
        foreign = [one for one in values.get("sites", ()) if one.organization_id != owner.pk] if owner else []  # fmt: skip
        if foreign:
            self.add_error(
                "sites",
                gettext("%(foreign)s is a site of another organization.")
                % {"foreign": foreign[0]},
            )
        if not (values.get("signs_in") or values.get("has_key")):
            self.add_error("signs_in", gettext("Choose a sign-in, an API key, or both."))
        return values

    def invite(self) -> Invited:
        values = self.cleaned_data
        owner = values["organization"]
        places = list(values["sites"]) or list(
            Site.objects.filter(organization=owner, is_active=True)
        )
        key = KeyOrder(
            f"Key of {values['email']}"[:64], values["scopes"], values["expires_in_days"] or None
        )  # fmt: skip
        return invite_person(
            by=self.user, organization=owner, email=values["email"],
            full_name=values["full_name"], role=values["role"],
            places=[] if covers_every_site(values["role"]) else places, level=values["level"],
            signs_in=values["signs_in"], key=key if values["has_key"] else None,
        )  # fmt: skip


def covers_every_site(role: str) -> bool:
    return role in {Membership.Role.ADMIN, Membership.Role.ORG_ADMIN}


def invitable(user: Any) -> list[Organization]:
    """Return the organizations to which this user may invite people."""
    return [
        one for one in Organization.objects.visible_to(user).filter(is_active=True)
        if user.has_perm_in(INVITE, one.pk)
    ]  # fmt: skip


def may_give(user: Any, role: str, organization: Organization) -> bool:
    return user.is_superuser or (role in RANKS and user.outranks(role, organization.pk))


def page(admin: Any, request: HttpRequest) -> HttpResponse:
    """Show the form; once it is sent, show the key and the link, which cannot be read again."""
    user: Any = request.user
    if not invitable(user):
        raise PermissionDenied
    wanted = (
        {"organization": request.GET["organization"]} if "organization" in request.GET else {}
    )
    form = InviteForm(request.POST or None, user=user, initial=wanted)
    context = admin.admin_site.each_context(request) | {
        "title": gettext("Invite a person"), "crumb": gettext("Invite a person"), "form": form, "opts": admin.opts,
        "back": admin_url(Organization, "changelist"),
    }  # fmt: skip
    name = "invite.html"
    if request.method == "POST" and form.is_valid():
        try:
            invited = form.invite()
            context |= {
                "invited": invited, "email": form.cleaned_data["email"],
                "link": invited.link and request.build_absolute_uri(invited.link),
            }  # fmt: skip
            name = "invited.html"
        except Refused as error:
            for field, sentences in error.by_field.items():
                known = "email" if field == "username" else field
                form.add_error(known if known in form.fields else None, sentences)
    response = TemplateResponse(request, f"admin/accounts/user/{name}", context)
    response["Cache-Control"] = "no-store"
    return response
