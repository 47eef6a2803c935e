"""Onboarding of a user in one step: account, role, sites, sign-in and API key."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext

from controller.accounts.models import Membership, Organization, Site, SiteGrant, User
from controller.accounts.rules import api_keys, emails, invitations, sites
from controller.accounts.rules.preferences import locale_of
from controller.accounts.rules.ranks import check_can_grant_role, refuse_keys
from controller.accounts.rules.users import create_user
from controller.base.errors import Refused
from controller.base.secrets import digest
from controller.celery import enqueue_on_commit

MAIL = "controller.accounts.tasks.mail_welcome"
HAS_ACCOUNT = (
    "This address has an account, whose owner accepts an invitation by e-mail. "
    "Invite them to one site, and grant the other sites afterwards."
)
NO_KEY = "This address has an account. Its owner creates their own API keys."


@dataclass(frozen=True, slots=True)
class KeyOrder:
    """An API key to create for the new account."""

    name: str
    scopes: Sequence[str] = ()
    expires_in_days: int | None = None


@dataclass(frozen=True, slots=True)
class Invited:
    """The new account, None if the address had one; its key, and its link if nothing is mailed."""

    user: User | None
    key: str = ""
    link: str = ""


@transaction.atomic
def invite_person(  # noqa: PLR0913 - the fields of the form
    *,
    by: User,
    organization: Organization,
    email: str,
    full_name: str = "",
    role: str = Membership.Role.VIEWER,
    places: Sequence[Site] = (),
    level: str = SiteGrant.Level.READ,
    signs_in: bool = True,
    key: KeyOrder | None = None,
) -> Invited:
    """Create an account with its role, site grants and API key, and mail a link for the password.

    The owner of a known address gets an invitation instead. Raises NotPermitted if the role or
    the sites exceed those of ``by``.
    """
    refuse_keys(by)
    check_can_grant_role(by, role, organization)
    if emails.account_of(email) is not None:
        return _invite_account(by, organization, email, role, places, level, key)
    first, _, last = full_name.strip().partition(" ")
    user = create_user(
        by=by, password=None, username=_free_name(email), email=email, is_staff=signs_in,
        first_name=first, last_name=last,
        organization_users=[{"organization": organization, "role": role}],
    )  # fmt: skip
    member = user.memberships.get(organization=organization)
    for site in places:
        sites.grant(member, site, level, by=by)
    secret = ""
    if key is not None:
        fresh = User.objects.get(pk=user.pk)
        _, secret = api_keys.create_key_for(
            fresh, by=by, name=key.name, scopes=key.scopes, expires_in_days=key.expires_in_days
        )
    if not signs_in:
        return Invited(user, secret)
    if not settings.MUSTER_NOTIFY_BY_EMAIL:
        return Invited(user, secret, link_of(user))
    enqueue_on_commit(MAIL, str(user.pk), str(organization.pk), str(by.pk))
    return Invited(user, secret)


def _invite_account(
    by: User, organization: Organization, email: str, role: str, places: Sequence[Site],
    level: str, key: KeyOrder | None,
) -> Invited:  # fmt: skip
    if len(places) > 1:
        raise Refused({"sites": [HAS_ACCOUNT]})
    if key is not None:
        raise Refused({"has_key": [NO_KEY]})
    invitations.invite(
        by=by, organization=organization, email=email, role=role,
        place=places[0] if places else None, level=level,
    )  # fmt: skip
    return Invited(None)


def _free_name(email: str) -> str:
    name = email.partition("@")[0]
    taken = User.objects.filter(username__iexact=name).exists()
    return f"{name}-{digest(email)[:8]}" if taken else name


def link_of(user: User) -> str:
    """Return the link by which a new person chooses a password."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return f"{settings.MUSTER_PUBLIC_URL}/admin/reset/{uid}/{token}/"


def mail_welcome(user_id: str, organization_id: str, inviter_id: str) -> bool:
    """Send the link to a new person. Returns False if they have signed in or are gone."""
    user = User.objects.filter(pk=user_id, is_active=True, last_login=None).first()
    organization = Organization.objects.filter(pk=organization_id).first()
    if user is None or organization is None or user.has_usable_password():
        return False
    inviter = User.objects.filter(pk=inviter_id).first()
    with locale_of(inviter):
        text = gettext(
            "%(inviter)s created an account for you at %(organization)s.\n\n"
            "User name: %(user)s\n\n"
            "Choose a password within three days:\n\n%(link)s\n\n"
            "If you do not know them, do nothing.\n"
        )
        values = {
            "inviter": inviter or gettext("An administrator"), "organization": organization,
            "user": user.username, "link": link_of(user),
        }  # fmt: skip
        subject = gettext("Your account for %(organization)s") % {"organization": organization}
        send_mail(subject, text % values, None, [user.email])
    return True
