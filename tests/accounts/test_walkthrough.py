"""The worked example of FreeSDN's documentation, as printed, by curl and jq."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.engine import totp
from controller.accounts.models import Authenticator
from controller.accounts.rules import mfa, sites
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN = r"""
RESPONSE=$(curl -s -X POST https://freesdn.example.com/api/v1/auth/login \
  -H "Content-Type: application/json" \
  -d '{"login": "alice@example.com", "password": "CorrectHorse99!"}')

TOKEN=$(echo "$RESPONSE" | jq -r '.access_token')
REFRESH=$(echo "$RESPONSE" | jq -r '.refresh_token')
"""
ME = r"""
curl -s https://freesdn.example.com/api/v1/auth/me \
  -H "Authorization: Bearer $TOKEN" | jq '{role, permissions}'
"""
SITES = r"""
curl -s "https://freesdn.example.com/api/v1/sites/" \
  -H "Authorization: Bearer $TOKEN" | jq '.items[] | {id, name, slug}'
"""
SITE_ID = r"""
SITE_ID=$(curl -s "https://freesdn.example.com/api/v1/sites/" \
  -H "Authorization: Bearer $TOKEN" | jq -r '.items[0].id')
"""
DEVICES = r"""
curl -s "https://freesdn.example.com/api/v1/devices/?site_id=$SITE_ID" \
  -H "Authorization: Bearer $TOKEN" | jq '.items[] | {id, name, status}'
"""
REFRESH = r"""
NEW=$(curl -s -X POST https://freesdn.example.com/api/v1/auth/refresh \
  -H "Content-Type: application/json" \
  -d "{\"refresh_token\": \"$REFRESH\"}")

TOKEN=$(echo "$NEW" | jq -r '.access_token')
REFRESH=$(echo "$NEW" | jq -r '.refresh_token')
"""
SECOND_FACTOR = r"""
TOKEN=$(curl -s -X POST https://freesdn.example.com/api/v1/auth/login/mfa \
  -H "Content-Type: application/json" \
  -d "{\"mfa_token\": \"$MFA_TOKEN\", \"code\": \"$CODE\"}" \
  | jq -r '.access_token')
"""
TRACE = r"""
curl -s https://freesdn.example.com/api/v1/devices/ \
  -H "Authorization: Bearer $TOKEN" \
  -H "X-Request-ID: my-trace-abc123" \
  -v 2>&1 | grep X-Request-ID
"""
SPEC = r"curl -s https://freesdn.example.com/api/v1/openapi.json -o - | jq -r .openapi"


@pytest.fixture
def alice() -> Any:
    organization = factories.organization("Acme")
    user = factories.user(
        organization, "operator", username="alice", email="alice@example.com",
        password="CorrectHorse99!",
    )  # fmt: skip
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    hidden = sites.create_site(organization=organization, name="Rome", slug="rome")
    factories.device(organization, name="in-oslo", site=site)
    factories.device(organization, name="in-rome", site=hidden)
    sites.grant(user.memberships.get(), site, "write", by=factories.superuser())
    return user


Shell = Callable[..., str]
Parse = Callable[[str], list[Any]]


def test_steps_one_to_five_run_as_printed(alice: Any, shell: Shell, parsed: Parse) -> None:
    me, site, device = parsed(shell(LOGIN + ME + SITES + SITE_ID + DEVICES))
    assert me["role"] == "operator"
    assert {"device:read", "device:update", "discovery:run"} <= set(me["permissions"])
    assert "user:create" not in me["permissions"]
    assert (site["name"], site["slug"]) == ("Oslo", "oslo")
    assert (device["name"], device["status"]) == ("in-oslo", "unknown")

    assert parsed(shell(LOGIN + REFRESH + ME))[0]["role"] == "operator"


def test_a_refresh_token_is_good_once_and_its_reuse_ends_the_session(
    alice: Any, shell: Shell
) -> None:
    printed = shell(
        LOGIN
        + "OLD=$REFRESH\n"
        + REFRESH
        + r"""
again() { curl -s -X POST https://freesdn.example.com/api/v1/auth/refresh \
  -H "Content-Type: application/json" -d "{\"refresh_token\": \"$1\"}"; }
again $OLD | jq -r .error.message
again $REFRESH | jq -r .error.message
curl -s -o /dev/null -w '%{http_code}\n' https://freesdn.example.com/api/v1/auth/me \
  -H "Authorization: Bearer $TOKEN"
"""
    )
    assert printed.splitlines() == [
        "Refresh token has already been used", "Session has been revoked", "401",
    ]  # fmt: skip


def test_the_second_factor_is_asked_for_and_completes_the_sign_in(
    alice: Any, shell: Shell, parsed: Parse
) -> None:
    setup = mfa.start_setup(alice)
    mfa.enable(alice, current_code(setup.secret))
    Authenticator.objects.update(last_step=-1)
    asked = r"""
echo "$RESPONSE" | jq -e '.require_mfa == true and (has("access_token") | not)' >/dev/null
MFA_TOKEN=$(echo "$RESPONSE" | jq -r '.mfa_token')
"""
    with_app = shell(LOGIN + asked + SECOND_FACTOR + ME, CODE=current_code(setup.secret))
    assert parsed(with_app)[0]["role"] == "operator"
    with_backup = shell(LOGIN + asked + SECOND_FACTOR + ME, CODE=setup.backup_codes[0])
    assert parsed(with_backup)[0]["role"] == "operator"


def current_code(secret: str) -> str:
    import time

    return totp.code_at(secret, int(time.time()) // totp.STEP_SECONDS)


def test_an_own_request_id_comes_back_marked(alice: Any, shell: Shell) -> None:
    printed = shell(LOGIN + TRACE)
    assert "X-Request-ID: ext-my-trace-abc123" in printed


def test_the_document_of_the_api_can_be_downloaded(shell: Shell) -> None:
    assert shell(SPEC).startswith("3.")


def test_a_page_sends_the_csrf_token_with_whatever_changes_something(
    alice: Any, shell: Shell
) -> None:
    alice.memberships.update(role="org_admin")
    printed = shell(
        LOGIN
        + r"""
url=https://freesdn.example.com/api/v1
jar=$(mktemp)
curl -s -o /dev/null -c "$jar" "$url/auth/login" -H "Content-Type: application/json" \
  -d '{"login": "alice@example.com", "password": "CorrectHorse99!"}'
csrf=$(awk '$6 == "freesdn_csrf" {print $7}' "$jar")
site=$(curl -s -b "$jar" "$url/sites/" | jq -r '.items[0].id')
patch() { curl -s -X PATCH "$url/sites/$site" -H "Content-Type: application/json" \
  -d '{"city": "Oslo"}' "$@" | jq -r '.city // .error.message'; }
patch -b "$jar"
patch -b "$jar" -H "X-CSRF-Token: wrong"
patch -b "$jar" -H "X-CSRF-Token: $csrf"
patch -b "$jar" -H "Authorization: Bearer $TOKEN"
patch -H "Authorization: Bearer $TOKEN"
rm "$jar"
"""
    )
    assert printed.splitlines() == [
        "CSRF token missing", "CSRF token mismatch", "Oslo", "CSRF token missing", "Oslo",
    ]  # fmt: skip


def test_every_error_has_the_one_envelope(alice: Any, shell: Shell, parsed: Parse) -> None:
    printed = shell(
        LOGIN
        + r"""
url=https://freesdn.example.com/api/v1
ask() { curl -s -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" "$@"; }
ask "$url/sites/00000000-0000-4000-8000-000000000000"
ask -X POST "$url/sites/" -d '{"name": "Rome"}'
ask -X PUT "$url/auth/me"
ask -X POST "$url/api-keys/" -d '{"name": ""}'
curl -s "$url/devices/"
head -c 1048577 /dev/zero | curl -s -X POST "$url/api-keys/" --data-binary @- \
  -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"
"""
    )
    errors = parsed(printed)
    assert [one["error"]["code"] for one in errors] == [404, 403, 405, 422, 401, 413]
    assert all(one["error"]["request_id"] and one["error"]["message"] for one in errors)
    assert errors[1]["error"]["message"] == "Permission denied: requires 'site:create'"
    assert errors[3]["error"]["details"][0]["field"] == "body.name"
    assert errors[5]["detail"] == "request body exceeds 1048576-byte limit"


def test_who_asks_too_often_is_told_when_to_come_back(
    alice: Any, shell: Shell, settings: Any
) -> None:
    asked = r"""
curl -s -D - -o /dev/null https://freesdn.example.com/api/v1/auth/me \
  -H "Authorization: Bearer $TOKEN" | tr -d '\r' | grep -iE '^(HTTP|x-ratelimit|retry-after)'
"""
    usual = shell(LOGIN + asked).lower().splitlines()
    assert "x-ratelimit-limit: 600" in usual
    assert any(line.startswith("x-ratelimit-remaining: 5") for line in usual)
    settings.MUSTER_REQUESTS_PER_MINUTE = 1
    refused = shell(LOGIN + asked + asked).lower()
    assert " 429 " in refused
    assert "x-ratelimit-remaining: 0" in refused
    assert "retry-after: " in refused


def test_signing_in_is_possible_five_times_a_minute(alice: Any, shell: Shell) -> None:
    printed = shell(
        r"""
for attempt in 1 2 3 4 5 6; do
  curl -s -o /dev/null -w '%{http_code} ' https://freesdn.example.com/api/v1/auth/login \
    -H "Content-Type: application/json" \
    -d '{"login": "alice@example.com", "password": "CorrectHorse99!"}'
done
"""
    )
    assert printed.split() == ["200"] * 5 + ["429"]
