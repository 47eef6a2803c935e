"""Change, reset and administratively set passwords."""

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.db import transaction
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_decode, urlsafe_base64_encode
from django.utils.translation import gettext

from controller.accounts.models import Session, User
from controller.accounts.rules import emails, lockouts, sessions
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.preferences import locale_of
from controller.accounts.rules.ranks import By, check_can_manage_user, refuse_keys
from controller.base.errors import Refused

BAD_LINK = "The link to reset the password is invalid or has been used."


def check_password_strength(password: str, user: User | None, field: str) -> None:
    """Raise Refused if the password fails the configured validators."""
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Refused({field: error.messages}) from error


def change_password(
    user: User, *, current: str, new: str, session: Session | None = None,
    fields: tuple[str, str] = ("current_password", "new_password"),
) -> None:  # fmt: skip
    """Set a new password for a user who knows the present one; end every other session."""
    refuse_keys(user)
    key = lockouts.Kind.PASSWORD, str(user.pk)
    lockouts.raise_if_locked(*key)
    if not user.check_password(current):
        lockouts.record_failure(*key)
        raise Refused({fields[0]: [gettext("You have entered an invalid password.")]})
    lockouts.reset_failures(*key)
    _store(user, new, field=fields[1], but=session)


def set_password(user: User, new: str, *, by: By, field: str = "new_password") -> None:
    """Set somebody's password; who knows their present one changes it themselves."""
    refuse_keys(by)
    check_can_manage_user(by, user)
    _store(user, new, field=field)


@transaction.atomic
def _store(user: User, new: str, *, field: str, but: Session | None = None) -> None:
    check_password_strength(new, user, field)
    user.set_password(new)
    user.save(update_fields=["password"])
    sessions.revoke_all(user, because="the password was changed", but=but)


def send_reset_link(user_id: str) -> bool:
    """Send a password reset link. Returns False if there is no such active user."""
    user = User.objects.filter(pk=user_id, is_active=True).first()
    if user is None:
        return False
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    with locale_of(user):
        text = gettext(
            "Somebody, probably you, asked to set a new password for %(user)s.\n\n"
            "%(link)s\n\n"
            "For a program: uid %(uid)s, token %(token)s\n"
        )
        link = f"{settings.MUSTER_PUBLIC_URL}/admin/reset/{uid}/{token}/"
        values = {"user": user.username, "link": link, "uid": uid, "token": token}
        send_mail(gettext("Set a new password"), text % values, None, [user.email])
    return True


def find_user(name: str) -> User | None:
    """Return the active user with this e-mail or user name."""
    if "@" in name:
        found = emails.account_of(name)
        return found if found is not None and found.is_active else None
    named: User | None = User.objects.filter(username=name, is_active=True).first()
    return named


def user_of_link(uid: str, token: str) -> User | None:
    """Return the active user of a reset link, None if the link is invalid or was used."""
    try:
        user = User.objects.get(pk=urlsafe_base64_decode(uid).decode(), is_active=True)
    except (User.DoesNotExist, ValueError, ValidationError, OverflowError):
        return None
    return user if default_token_generator.check_token(user, token) else None


def reset_password(uid: str, token: str, new: str, *, field: str = "new_password") -> None:
    """Set a new password from a reset link.

    Raises Refused if the uid or the token is invalid.
    """
    try:
        user = User.objects.get(pk=urlsafe_base64_decode(uid).decode(), is_active=True)
    except (User.DoesNotExist, ValueError, ValidationError, OverflowError):
        raise Refused({"uid": [gettext("Invalid value")]}) from None
    if not default_token_generator.check_token(user, token):
        raise Refused({"token": [gettext("Invalid value")]})
    _store(user, new, field=field)
    emails.mark_verified(user, user.email)
    record_audit("reset_password", user, by=user)
