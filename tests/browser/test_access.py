"""Access pages in Chromium; any console error fails the test."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.engine import totp
from controller.accounts.models import SiteGrant
from controller.accounts.rules import mfa, sessions, sites
from tests import factories

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PICTURES = os.environ.get("PICTURES")


def picture(page: Any, name: str) -> None:
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def test_sites_keys_sessions_and_the_second_factor(browse: Callable[..., Any]) -> None:
    organization = factories.organization("Acme")
    user = factories.user(organization, "org_admin", username="ann", is_staff=True)
    vera = factories.user(organization, "viewer", username="vera")
    site = sites.create_site(
        organization=organization, name="Oslo", slug="oslo", city="Oslo", country="Norway"
    )
    sites.grant(vera.memberships.get(), site, "read", by=user)
    sessions.open_session(user, user_agent="curl/8.5", address="192.0.2.7")
    watched = browse(user)

    picture(watched.open("/admin/accounts/site/"), "sites")
    page = watched.open(f"/admin/accounts/site/{site.pk}/change/")
    picture(page, "site")
    page.select_option("[name$='-0-level']", "write")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    assert SiteGrant.objects.get().level == "write"

    make_a_key(watched)
    picture(watched.open("/admin/accounts/session/"), "sessions")
    picture(watched.open("/admin/accounts/auditentry/"), "audit")
    set_up_the_second_factor(watched)
    assert mfa.is_enabled(user)

    door = browse()
    page = door.open("/admin/login/")
    picture(page, "login")
    page.fill("[name=username]", "ann")
    page.fill("[name=password]", "a good password")
    page.click("[type=submit]")
    page.wait_for_load_state("networkidle")
    assert "Enter the code" in page.content()
    picture(page, "login-code")


def make_a_key(watched: Any) -> None:
    page = watched.open("/admin/accounts/apikey/add/")
    page.fill("[name=name]", "nightly report")
    page.fill("[name=scopes]", "device:read")
    picture(page, "key")
    page.click("[name=_save]")
    page.wait_for_load_state("networkidle")
    assert re.fullmatch(r"mst_[0-9a-f]{64}", page.text_content("#token").strip())
    picture(page, "key-made")
    picture(watched.open("/admin/accounts/apikey/"), "keys")


def set_up_the_second_factor(watched: Any) -> None:
    page = watched.open("/admin/accounts/user/second-factor/")
    picture(page, "second-factor")
    page.fill("[name=password]", "a good password")
    page.click("[value=begin]")
    page.wait_for_selector("img[alt*='QR']")
    picture(page, "second-factor-code")
    secret = page.text_content(".panel code").strip()
    page.fill("[name=code]", totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS))
    page.click("[value=on]")
    page.wait_for_load_state("networkidle")
