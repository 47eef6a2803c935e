"""Second factor: authenticator codes (TOTP) and backup codes."""

import secrets
from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.engine import totp
from controller.accounts.models import Authenticator, BackupCode, User
from controller.accounts.rules import lockouts
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.ranks import refuse_keys
from controller.base.errors import Conflict, NotAuthenticated, Refused
from controller.base.secrets import digest

ISSUER = "Muster"
BACKUP_CODES = 10
BACKUP_BYTES = 5
WRONG = "Invalid MFA code"


@dataclass(frozen=True)
class Setup:
    secret: str
    uri: str
    backup_codes: list[str]

    def __repr__(self) -> str:
        return "Setup of a second factor"


def is_enabled(user: User) -> bool:
    return Authenticator.objects.filter(user=user, confirmed__isnull=False).exists()


@transaction.atomic
def start_setup(user: User) -> Setup:
    """Create a secret and backup codes, shown once; inactive until confirmed.

    Raises Conflict if MFA is already enabled.
    """
    if is_enabled(user):
        raise Conflict(gettext("MFA is already on. Turn it off first to set it up again."))
    secret = totp.new_secret()
    Authenticator.objects.update_or_create(
        user=user, defaults={"secret": secret, "confirmed": None, "last_step": -1}
    )
    codes = [secrets.token_hex(BACKUP_BYTES) for _ in range(BACKUP_CODES)]
    BackupCode.objects.filter(user=user).delete()
    BackupCode.objects.bulk_create(
        BackupCode(user=user, digest=_digest(user, code)) for code in codes
    )
    return Setup(secret, totp.uri(secret, account=user.email, issuer=ISSUER), codes)


def _digest(user: User, code: str) -> str:
    return digest(f"{user.pk} {code}")


def enable(user: User, code: str) -> None:
    """Enable MFA; the code proves that the app is set up.

    Raises Conflict if no setup was started.
    """
    row = Authenticator.objects.filter(user=user, confirmed=None).first()
    if row is None:
        raise Conflict(gettext("There is nothing to turn on; set MFA up first."))
    _take_step(row, code)
    Authenticator.objects.filter(pk=row.pk).update(confirmed=timezone.now())
    record_audit("turn_mfa_on", user)


@transaction.atomic
def disable(user: User, code: str) -> None:
    """Disable MFA. It takes a code, for a stolen session or password has none."""
    refuse_keys(user)
    if not is_enabled(user):
        raise Conflict(gettext("MFA is not on."))
    verify_code(user, code)
    Authenticator.objects.filter(user=user).delete()
    BackupCode.objects.filter(user=user).delete()
    record_audit("turn_mfa_off", user)


def verify_code(user: User, code: str) -> None:
    """Verify and use up an authenticator or backup code.

    Raises :class:`NotAuthenticated` if wrong, and Locked after too many failures.
    """
    key = lockouts.Kind.MFA, str(user.pk)
    lockouts.raise_if_locked(*key)
    row = Authenticator.objects.filter(user=user, confirmed__isnull=False).first()
    code = code.replace(" ", "").replace("-", "").lower()
    try:
        if row is None:
            raise NotAuthenticated(WRONG)
        if len(code) == totp.DIGITS:
            _take_step(row, code)
        else:
            _take_backup(user, code)
    except Refused:
        lockouts.record_failure(*key)
        record_audit("sign_in", user, outcome="refused", detail=WRONG)
        raise NotAuthenticated(WRONG) from None
    lockouts.reset_failures(*key)


def _take_step(row: Authenticator, code: str) -> None:
    step = totp.step_of(row.secret, code, timezone.now().timestamp(), after=row.last_step)
    # Conditional update: of two requests with the same code only one succeeds.
    taken = step is not None and Authenticator.objects.filter(
        pk=row.pk, last_step__lt=step
    ).update(last_step=step)
    if not taken:
        raise Refused({"code": [WRONG]})


def _take_backup(user: User, code: str) -> None:
    unused = BackupCode.objects.filter(user=user, digest=_digest(user, code), used=None)
    if not unused.update(used=timezone.now()):
        raise Refused({"code": [WRONG]})
