"""Accounts of OpenID Connect subjects (single sign-on)."""

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules import emails
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.ranks import PORTAL
from controller.base.errors import NotPermitted
from controller.base.secrets import digest

PROVIDER = "sso"


@transaction.atomic
def authenticate_subject(
    subject: str, *, email: str = "", is_verified: bool = False, username: str = "",
    first_name: str = "", last_name: str = "",
) -> User:  # fmt: skip
    """Return the account of this subject, linking or creating it on first use.

    The first time, the account with the verified e-mail is linked. Raises
    :class:`NotPermitted` if
    there is none and none may be created, or if the account may not sign in.
    """
    known = SocialAccount.objects.select_related("user").filter(provider=PROVIDER, uid=subject)
    row = known.first()
    if row is None:
        user = _by_email(email if is_verified else "")
        if user is None:
            user = _made(email, is_verified, username, first_name, last_name)
        SocialAccount.objects.create(user=user, provider=PROVIDER, uid=subject)
        record_audit("link_single_sign_on", user, by=user, after={"subject": subject})
    else:
        user = row.user
    if not user.may_sign_in:
        raise NotPermitted(gettext("This account may not sign in."))
    return user


def _by_email(email: str) -> User | None:
    return emails.owner_of(email) if email else None


def _made(email: str, is_verified: bool, username: str, first: str, last: str) -> User:  # noqa: FBT001
    if not settings.MUSTER_OIDC_CREATES_USERS or not (email and is_verified):
        raise NotPermitted(
            gettext(
                "Nobody here has the e-mail that the provider told (verified). "
                "Ask an administrator for an account."
            )
        )
    if emails.account_of(email) is not None:
        raise NotPermitted(
            gettext(
                "An account here has this e-mail and has not proved it yet. Sign in with its password "
                "and open the link that is sent to the address, or ask an administrator."
            )
        )
    name = (username or email).partition("@")[0][:100] or "user"
    if User.objects.filter(username=name).exists():
        name = f"{name}-{digest(email)[:8]}"
    user = User(username=name, email=email, first_name=first[:150], last_name=last[:150])
    user.set_unusable_password()
    user.checked().save()
    emails.add(user, email, by=PORTAL, primary=True, verified=True)
    return user
