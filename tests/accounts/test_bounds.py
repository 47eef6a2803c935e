"""Bounds, defaults and answers of the rules of accounts, each at its edge."""

from typing import Any

import pytest
from allauth.account.models import EmailAddress

from controller.accounts.engine.scopes import every_permission
from controller.accounts.models import (
    ApiToken,
    Authenticator,
    Invitation,
    Membership,
    Organization,
    User,
)
from controller.accounts.rules import api_keys, emails, invitations, roles
from controller.accounts.rules.sign_in_tokens import MOST_SIGN_INS, token_for
from controller.base.errors import Refused
from tests import factories

pytestmark = pytest.mark.django_db
VALUES = {"username": "new", "email": "new@example.org", "password": "a quite long password"}


def test_the_last_twenty_sign_ins_of_a_program_stay(organization: Organization) -> None:
    user = factories.user(organization)
    for _ in range(MOST_SIGN_INS + 1):
        token_for(user, name="ci")
    assert ApiToken.objects.filter(user=user, name="ci").count() == 20


def test_a_key_has_up_to_thirty_two_scopes(organization: Organization) -> None:
    admin, scopes = factories.superuser(), [*every_permission()]
    row, _ = api_keys.create_key(admin, name="wide", scopes=scopes[:32])
    assert len(row.scopes) == 32
    with pytest.raises(Refused, match="at most 32 scopes"):
        api_keys.create_key(admin, name="wider", scopes=scopes[:33])


def test_a_superuser_made_by_role_may_open_the_admin(admin: User) -> None:
    user = roles.create_user(by=admin, role="super_admin", **VALUES)
    assert (user.is_superuser, user.is_staff) == (True, True)


def test_the_named_organization_goes_before_the_only_one_of_the_caller(
    organization: Organization,
) -> None:
    admin, other = factories.superuser(), factories.organization()
    Membership.objects.create(user=admin, organization=organization, role="viewer")
    user = roles.create_user(by=admin, role="viewer", organization=other, **VALUES)
    assert user.memberships.get().organization == other
    own = roles.create_user(
        by=admin, role="viewer", **VALUES | {"username": "own", "email": "own@example.org"}
    )
    assert own.memberships.get().organization == organization


def test_users_with_a_second_factor_are_told_by_key(organization: Organization) -> None:
    user, without = factories.user(organization), factories.user(organization)
    Authenticator.objects.create(user=user, secret="x", confirmed=user.date_joined)
    assert roles.users_with_mfa([user, without]) == {user.pk}


def test_no_link_is_sent_for_an_address_that_is_proved(
    organization: Organization, mailoutbox: Any
) -> None:
    user = factories.user(organization)
    row = EmailAddress.objects.get_or_create(user=user, email=user.email)[0]
    EmailAddress.objects.filter(pk=row.pk).update(verified=True)
    assert emails.mail_link(row.pk, primary=False) is False
    assert not mailoutbox


def test_no_link_is_sent_for_an_invitation_that_was_withdrawn(
    organization: Organization, mailoutbox: Any
) -> None:
    owner = factories.user(organization)
    row = invitations.invite(
        by=owner, organization=organization, email="new@example.org", role="viewer"
    )
    pk = str(row.pk)
    assert invitations.mail(pk) is True
    invitations.withdraw(row, by=owner)
    assert not Invitation.objects.exists()
    assert invitations.mail(pk) is False
