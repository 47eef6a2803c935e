"""API tokens that programs get by signing in with a password."""

from django.db.models.functions import Coalesce
from django.utils.translation import gettext

from controller.accounts.models import ApiToken, User
from controller.accounts.rules import mfa
from controller.accounts.rules.audit import record_audit
from controller.accounts.rules.authentication import issue_token
from controller.base.errors import NotPermitted
from controller.base.secrets import digest

MOST_SIGN_INS = 20


def token_for(user: User, *, name: str) -> str:
    """Create an API token after a password sign-in; refused if MFA is enabled."""
    if mfa.is_enabled(user):
        raise NotPermitted(
            gettext(
                "This account has MFA enabled: sign in by /api/v1/auth/login, "
                "or make an API token or an API key."
            )
        )
    token = issue_token(user, name=name)
    _forget_oldest(user, name)
    record_audit("sign_in", user, by=user, detail=f"for a token: {name}")
    return token


def _forget_oldest(user: User, name: str) -> None:
    """Delete all but the last tokens of this name: some programs sign in each time."""
    mine = ApiToken.objects.filter(user=user, name=name)
    kept = mine.order_by(Coalesce("last_used", "created").desc(), "-pk")[:MOST_SIGN_INS]
    mine.exclude(pk__in=list(kept.values_list("pk", flat=True))).delete()


def forget_token(user: User, token: str) -> None:
    ApiToken.objects.filter(user=user, digest=digest(token)).delete()
    record_audit("sign_out", user)
