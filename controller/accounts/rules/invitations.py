"""Invitations to an organization, perhaps to one of its sites, which people accept."""

from django.conf import settings
from django.core import signing
from django.core.mail import send_mail
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import Invitation, Membership, Organization, Site, User
from controller.accounts.rules import emails, sites
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.emails import account_of
from controller.accounts.rules.preferences import locale_of
from controller.accounts.rules.ranks import (
    PORTAL,
    check_can_grant_role,
    check_can_grant_site,
    refuse_keys,
)
from controller.base.errors import Conflict, Refused
from controller.base.mail_budget import check_mail_budget
from controller.celery import enqueue_on_commit

SALT = "accounts.invitation"
BAD_LINK = "This invitation is invalid, too old, withdrawn, or has been used."


@transaction.atomic
def invite(
    *,
    by: User,
    organization: Organization,
    email: str,
    role: str,
    place: Site | None = None,
    level: str = "read",
) -> Invitation:
    """Mail a link to this address. Nothing tells whether somebody here has it."""
    refuse_keys(by)
    _check(by, organization, role, place, level)
    row = Invitation(
        organization=organization, email=email, role=role, place=place, level=level, inviter=by
    )
    row.checked()
    check_mail_budget(by)
    row.save()
    enqueue_on_commit("controller.accounts.tasks.mail_invitation", str(row.pk))
    return row


def _check(
    by: User, organization: Organization, role: str, place: Site | None, level: str
) -> None:
    check_can_grant_role(by, role, organization)
    if place is None:
        return
    if place.organization_id != organization.pk:
        raise Refused({"place": [gettext("The site is of another organization.")]})
    check_can_grant_site(by, role, place, level)


def withdraw(row: Invitation, *, by: User) -> None:
    check_can_grant_role(by, row.role, row.organization)
    row.delete()


def link_of(row: Invitation) -> str:
    token = signing.dumps(str(row.pk), salt=SALT)
    return f"{settings.MUSTER_PUBLIC_URL}/account/invitation/{token}/"


def mail(pk: str) -> bool:
    """Send the link. Returns whether the invitation is still open."""
    row = Invitation.objects.filter(pk=pk).select_related("organization", "inviter").first()
    if row is None or not row.is_open:
        return False
    # On one line: it stands in a header.
    name = " ".join(row.organization.name.split())
    with locale_of(account_of(row.email)):
        text = gettext(
            "%(inviter)s invites you to %(organization)s as %(role)s.\n\n"
            "Sign in and accept within seven days:\n\n%(link)s\n\n"
            "If you do not know them, do nothing.\n"
        )
        values = {
            "inviter": row.inviter, "organization": name,
            "role": row.get_role_display(), "link": link_of(row),
        }  # fmt: skip
        subject = gettext("An invitation to %(organization)s") % {"organization": name}
        send_mail(subject, text % values, None, [row.email])
    return True


def of_token(token: str) -> Invitation:
    """Return the open invitation of a link."""
    try:
        pk = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        raise Refused({"token": [BAD_LINK]}) from None
    rows = Invitation.objects.select_related("organization", "inviter", "place")
    row: Invitation | None = rows.filter(pk=pk, organization__is_active=True).first()
    if row is None or not row.is_open:
        raise Refused({"token": [BAD_LINK]})
    return row


@transaction.atomic
def accept(token: str, *, by: User) -> Membership:
    """Make whoever accepts a member; the inviter must have the rank for it still."""
    refuse_keys(by)
    pk = of_token(token).pk
    row = Invitation.objects.select_for_update(of=("self",)).get(pk=pk)
    if not row.is_open:
        raise Refused({"token": [BAD_LINK]})
    if Membership.objects.filter(user=by, organization=row.organization_id).exists():
        raise Conflict(
            gettext("You are a member of %(organization)s already.")
            % {"organization": row.organization}
        )
    if not row.inviter.may_sign_in:
        raise Refused({"token": [BAD_LINK]})
    _check(row.inviter, row.organization, row.role, row.place, row.level)
    member = Membership(user=by, organization=row.organization, role=row.role).checked()
    member.save()
    if row.place is not None:
        sites.grant(member, row.place, row.level, by=PORTAL)
    emails.mark_verified(by, row.email)
    row.accepted, row.member = timezone.now(), by
    row.save()
    record_audit("accept_invitation", row, by=by)
    return member
