"""Login: cookies, double-submit CSRF, lockouts, sessions, API keys, second factor."""

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from controller.accounts.engine import totp
from controller.accounts.models import ApiKey, Session, User
from controller.accounts.rules import api_keys, passwords
from controller.accounts.rules import mfa as second_factor
from controller.base.errors import NotAuthenticated
from tests import factories

pytestmark = pytest.mark.django_db
LOGIN = "/api/v1/auth/login"
PASSWORD = "a good password"


@pytest.fixture(autouse=True)
def _many_sign_ins(settings: Any) -> None:
    settings.MUSTER_SIGN_INS_PER_MINUTE = 0


@pytest.fixture
def user(organization: Any) -> User:
    return factories.user(organization, "operator", username="bob", email="bob@example.org")


def post(client: Client, url: str, data: Any = None, **headers: str) -> Any:
    return client.post(
        url, {} if data is None else data, content_type="application/json", headers=headers
    )


def sign_in(client: Client, **values: Any) -> Any:
    return post(client, LOGIN, {"login": "bob", "password": PASSWORD} | values)


def test_cookies_have_the_paths_and_flags_that_pages_rely_on(user: User) -> None:
    client = Client()
    answer = sign_in(client)
    assert answer.json().keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert answer.json()["expires_in"] == 1800
    access, csrf = client.cookies["freesdn_access"], client.cookies["freesdn_csrf"]
    refresh = client.cookies["freesdn_refresh"]
    assert (access["path"], access["httponly"], access["max-age"]) == ("/api/v1/", True, 1800)
    assert (refresh["path"], refresh["httponly"]) == ("/api/v1/auth/", True)
    assert (csrf["path"], csrf["httponly"], csrf["samesite"]) == ("/", "", "Lax")
    assert client.get("/api/v1/auth/me").json()["username"] == "bob"


def test_a_cookie_needs_the_csrf_token_for_whatever_changes_something(user: User) -> None:
    client = Client()
    token = sign_in(client).json()["access_token"]
    csrf = client.cookies["freesdn_csrf"].value
    me = "/api/v1/auth/me"

    def patch(**headers: str) -> Any:
        return client.patch(
            me, {"language": "de"}, content_type="application/json", headers=headers
        )

    missing, wrong = patch(), patch(**{"X-CSRF-Token": "f" * 64})
    assert (missing.status_code, wrong.status_code) == (403, 403)
    assert missing.json()["error"]["message"] == "CSRF token missing"
    assert wrong.json()["error"]["message"] == "CSRF token mismatch"
    beside = patch(Authorization=f"Bearer {token}")
    assert beside.json()["error"]["message"] == "CSRF token missing"
    assert patch(**{"X-API-Key": "mst_x"}).status_code == 403
    assert patch(**{"X-CSRF-Token": csrf}).status_code == 200
    # A matching pair from another session is rejected.
    client.cookies["freesdn_csrf"] = "a" * 64
    assert patch(**{"X-CSRF-Token": "a" * 64}).status_code == 403


def test_a_bearer_alone_needs_no_csrf_token_and_nobody_at_all_is_401(user: User) -> None:
    token = sign_in(Client()).json()["access_token"]
    bare = Client()
    answer = bare.patch(
        "/api/v1/auth/me", {"language": "de"}, content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )  # fmt: skip
    assert answer.status_code == 200
    assert post(bare, "/api/v1/auth/logout").status_code == 401
    assert post(bare, "/api/v1/api-keys/").status_code == 401


def test_a_page_of_another_origin_cannot_sign_in(user: User) -> None:
    answer = post(
        Client(), LOGIN, {"login": "bob", "password": PASSWORD}, Origin="https://evil.example"
    )
    assert answer.status_code == 403
    assert answer.json()["error"]["message"] == "cross-origin login blocked"


def test_signing_out_ends_every_token_of_the_session_at_once(user: User) -> None:
    client = Client()
    first = sign_in(client).json()
    second = post(Client(), "/api/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    bearers = [first["access_token"], second.json()["access_token"]]

    def statuses() -> list[int]:
        return [
            Client()
            .get("/api/v1/auth/me", headers={"Authorization": f"Bearer {one}"})
            .status_code
            for one in bearers
        ]

    assert statuses() == [200, 200]
    out = post(Client(), "/api/v1/auth/logout", Authorization=f"Bearer {bearers[1]}")
    assert out.status_code == 200
    assert statuses() == [401, 401]
    refreshed = post(
        Client(), "/api/v1/auth/refresh", {"refresh_token": second.json()["refresh_token"]}
    )
    assert refreshed.status_code == 401


def test_the_cookie_refreshes_and_the_sixth_failure_is_locked_for_known_and_unknown_names(
    user: User,
) -> None:
    client = Client()
    sign_in(client)
    assert post(client, "/api/v1/auth/refresh").json()["token_type"] == "bearer"

    for name in ("bob", "nobody@example.org"):
        answers = [
            post(Client(), LOGIN, {"login": name, "password": "wrong"}) for _ in range(6)
        ]
        assert [one.status_code for one in answers] == [401] * 5 + [423]
        assert answers[0].json()["error"]["message"] == "Incorrect email/username or password"
        assert 1700 < int(answers[5]["Retry-After"]) <= 1801
    assert sign_in(Client()).status_code == 423
    assert (
        Client()
        .post("/api/v1/users/token/", {"username": "bob", "password": PASSWORD})
        .status_code
        == 423
    )
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        # The counter restarts: one more failure does not lock again.
        assert sign_in(Client(), password="wrong").status_code == 401
        assert sign_in(Client()).status_code == 200


def test_access_tokens_expire_and_forged_ones_are_nothing(user: User) -> None:
    token = sign_in(Client()).json()["access_token"]
    head, body, signature = token.split(".")

    def status(bearer: str) -> int:
        return (
            Client()
            .get("/api/v1/auth/me", headers={"Authorization": f"Bearer {bearer}"})
            .status_code
        )

    assert status(token) == 200
    none = "eyJhbGciOiJub25lIn0"
    for forged in (f"{head}.{body}.{signature[:-4]}AAAA", f"{none}.{body}.", "a.b.c", ".."):
        assert status(forged) == 401
    refresh = sign_in(Client()).json()["refresh_token"]
    assert status(refresh) == 401
    with time_machine.travel(timezone.now() + timedelta(minutes=31)):
        assert status(token) == 401


def test_sessions_are_listed_and_one_can_be_ended_from_another(user: User) -> None:
    here, there = Client(), Client()
    sign_in(here)
    token = sign_in(there).json()["access_token"]
    rows = here.get("/api/v1/auth/sessions").json()["sessions"]
    assert sorted(row["is_current"] for row in rows) == [False, True]
    other = next(row for row in rows if not row["is_current"])
    csrf = {"X-CSRF-Token": here.cookies["freesdn_csrf"].value}
    gone = here.delete(f"/api/v1/auth/sessions/{other['id']}", headers=csrf)
    assert gone.status_code == 200
    bearer = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/auth/me", headers=bearer).status_code == 401
    stranger = factories.user()
    foreign = Session.objects.create(
        user=stranger, refresh_id=other["id"], expires=timezone.now()
    )
    assert here.delete(f"/api/v1/auth/sessions/{foreign.pk}", headers=csrf).status_code == 404


def test_the_form_returns_tokens_too(user: User) -> None:
    answer = Client().post("/api/v1/auth/token", {"username": "bob", "password": PASSWORD})
    assert answer.json()["token_type"] == "bearer"


def test_registration_is_off_until_it_is_turned_on(settings: Any) -> None:
    person = {"email": "new@example.org", "password": "a good password"}
    assert post(Client(), "/api/v1/auth/register", person).status_code == 403
    settings.MUSTER_REGISTRATION = True
    twice = [post(Client(), "/api/v1/auth/register", person) for _ in range(2)]
    assert [one.status_code for one in twice] == [201, 201]
    assert twice[0].json() == twice[1].json()
    made = User.objects.get(email="new@example.org")
    assert made.permissions == []


def test_a_new_password_ends_the_other_sessions(user: User) -> None:
    here, there = Client(), Client()
    sign_in(here), sign_in(there)
    csrf = {"X-CSRF-Token": here.cookies["freesdn_csrf"].value}
    url, new = "/api/v1/auth/password", "an even better password"
    wrong = post(here, url, {"current_password": "x", "new_password": new}, **csrf)
    assert wrong.status_code == 422
    weak = post(here, url, {"current_password": PASSWORD, "new_password": "12345678"}, **csrf)
    assert weak.json()["error"]["details"][0]["field"] == "body.new_password"
    assert post(here, url, {"current_password": PASSWORD, "new_password": new}, **csrf).json()
    assert here.get("/api/v1/auth/me").status_code == 200
    assert there.get("/api/v1/auth/me").status_code == 401
    assert sign_in(Client(), password=new).status_code == 200


def test_a_forgotten_password_is_set_by_the_link_of_the_mail(user: User) -> None:
    answers = [
        post(Client(), "/api/v1/auth/password/reset-request", {"email": one}).json()
        for one in ("bob@example.org", "nobody@example.org")
    ]
    assert answers[0] == answers[1]
    assert not passwords.send_reset_link("00000000-0000-4000-8000-000000000000")
    assert passwords.send_reset_link(str(user.pk))
    link = next(line for line in mail.outbox[0].body.splitlines() if "/admin/reset/" in line)
    reset = {"token": link, "new_password": "an even better password"}
    assert post(Client(), "/api/v1/auth/password/reset", reset).status_code == 200
    assert sign_in(Client(), password="an even better password").status_code == 200
    assert post(Client(), "/api/v1/auth/password/reset", reset).status_code == 400
    for nonsense in ("x", "a.b", "", "/" * 9, "\x00.\x00"):
        given = reset | {"token": nonsense}
        assert post(Client(), "/api/v1/auth/password/reset", given).status_code in {400, 422}


def test_the_second_factor_is_set_up_with_the_password_and_turned_on_by_a_code(
    user: User,
) -> None:
    client = Client()
    sign_in(client)
    csrf = {"X-CSRF-Token": client.cookies["freesdn_csrf"].value}
    assert post(client, "/api/v1/auth/mfa/setup", {"password": "x"}, **csrf).status_code == 403
    setup = post(client, "/api/v1/auth/mfa/setup", {"password": PASSWORD}, **csrf).json()
    assert setup["uri"].startswith("otpauth://totp/Muster:bob%40example.org?")
    assert f"secret={setup['secret']}&" in setup["uri"]
    assert setup["qr_svg"].startswith("<svg")
    assert len(setup["backup_codes"]) == 10
    assert not second_factor.is_enabled(user), "not before a code has proved the app"
    assert post(client, "/api/v1/auth/mfa/enable", {"code": "000000"}, **csrf).status_code in {
        400, 422,
    }  # fmt: skip
    code = totp.code_at(setup["secret"], int(time.time()) // 30)
    assert post(client, "/api/v1/auth/mfa/enable", {"code": code}, **csrf).status_code == 200
    asked = sign_in(Client()).json()
    assert asked.keys() == {"require_mfa", "mfa_token"}
    mfa = {"mfa_token": asked["mfa_token"]}
    replayed = post(Client(), "/api/v1/auth/login/mfa", mfa | {"code": code})
    assert replayed.status_code == 401, "each code is good once"
    backup = {"code": setup["backup_codes"][3]}
    assert post(Client(), "/api/v1/auth/login/mfa", mfa | backup).status_code == 200
    assert post(Client(), "/api/v1/auth/login/mfa", mfa | backup).status_code == 401
    form = Client().post("/api/v1/auth/token", {"username": "bob", "password": PASSWORD})
    assert form.status_code == 400


def test_codes_of_the_second_factor_cannot_be_guessed(user: User) -> None:
    setup = second_factor.start_setup(user)
    second_factor.enable(user, totp.code_at(setup.secret, int(time.time()) // 30))
    for _ in range(5):
        with pytest.raises(NotAuthenticated):
            second_factor.verify_code(user, "000000")
    token = sign_in(Client()).json()["mfa_token"]
    locked = post(
        Client(), "/api/v1/auth/login/mfa",
        {"mfa_token": token, "code": setup.backup_codes[0]},
    )  # fmt: skip
    assert locked.status_code == 423


def test_the_codes_are_those_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    published = {59: "94287082", 1111111109: "07081804", 1234567890: "89005924",
                 2000000000: "69279037", 20000000000: "65353130"}  # fmt: skip
    for moment, code in published.items():
        assert totp.code_at(secret, moment // 30, digits=8) == code


# --- API keys


def by_key(secret: str) -> dict[str, str]:
    return {"X-API-Key": secret}


def test_a_key_is_shown_once_and_works_until_it_is_deleted(user: User, api: Any) -> None:
    client = api(user)
    made = client.post("/api/v1/api-keys/", {"name": "ci", "expires_in_days": 30})
    assert made.status_code == 201
    secret = made.json()["key"]
    assert secret.startswith(made.json()["key_prefix"])
    assert "key" not in client.get("/api/v1/api-keys/").json()[0]
    row = ApiKey.objects.get()
    assert secret not in str(row.__dict__)
    assert Client().get("/api/v1/auth/me", headers=by_key(secret)).status_code == 200
    row.refresh_from_db()
    used = row.last_used
    Client().get("/api/v1/auth/me", headers=by_key(secret))
    row.refresh_from_db()
    assert row.last_used == used, "not a write for each call"
    with time_machine.travel(timezone.now() + timedelta(days=31)):
        assert Client().get("/api/v1/auth/me", headers=by_key(secret)).status_code == 401
    assert client.delete(f"/api/v1/api-keys/{row.pk}/").status_code == 204
    assert Client().get("/api/v1/auth/me", headers=by_key(secret)).status_code == 401


def test_scopes_narrow_the_owner_and_never_widen(organization: Any, api: Any) -> None:
    admin = factories.superuser()
    _, secret = api_keys.create_key(admin, name="reads", scopes=["device:read"])
    device = factories.device(organization)
    url = f"/api/v1/devices/{device.pk}/"
    assert Client().get(url, headers=by_key(secret)).status_code == 200
    refused = Client().patch(
        url, {"notes": "x"}, content_type="application/json", headers=by_key(secret)
    )
    assert refused.json()["error"]["message"] == "Permission denied: requires 'device:update'"
    assert Client().get("/api/v1/sites/", headers=by_key(secret)).status_code == 403
    viewer = factories.user(organization, "viewer")
    wanted = {"name": "k", "scopes": ["device:update"]}
    assert api(viewer).post("/api/v1/api-keys/", wanted, format="json").status_code == 403
    strange = {"name": "k", "scopes": ["devices:steal"]}
    assert api(viewer).post("/api/v1/api-keys/", strange, format="json").status_code == 422
    wide = Client().post("/api/v1/api-keys/", {"name": "k"}, headers=by_key(secret))
    assert wide.status_code == 403, "a narrow key cannot make a wide one"
    key_me = Client().get("/api/v1/auth/me", headers=by_key(secret)).json()
    assert key_me["permissions"] == ["device:read"]


def test_a_key_cannot_touch_its_owners_password_sessions_or_second_factor(user: User) -> None:
    _, secret = api_keys.create_key(user, name="all")
    for path, data in {
        "password": {"current_password": PASSWORD, "new_password": "an even better password"},
        "logout-all": {},
        "mfa/setup": {"password": PASSWORD},
    }.items():
        answer = post(Client(), f"/api/v1/auth/{path}", data, **by_key(secret))
        assert answer.status_code == 403, path


def test_there_is_a_most_of_keys(user: User, api: Any, settings: Any) -> None:
    settings.MUSTER_KEYS_PER_USER = 2
    client = api(user)
    statuses = [client.post("/api/v1/api-keys/", {"name": "k"}).status_code for _ in range(3)]
    assert statuses == [201, 201, 409]


def test_secrets_are_in_no_repr(user: User) -> None:
    from controller.accounts.rules.sessions import open_session

    tokens = open_session(user)
    assert tokens.access not in repr(tokens)
    assert tokens.refresh not in repr(tokens)
    setup = second_factor.start_setup(user)
    assert setup.secret not in repr(setup)
