"""Nobody gives, takes or changes more than they have: each role, each change inside an organization."""

import inspect
import os
import pkgutil
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from rest_framework.test import APIClient

from controller.accounts.models import (
    ApiKey,
    Invitation,
    Membership,
    Organization,
    Site,
    SiteGrant,
    User,
)
from controller.accounts.rules import (
    api_keys,
    emails,
    invitations,
    memberships,
    passwords,
    permission_groups,
    ranks,
    sites,
    sso,
    users,
)
from controller.accounts.rules.ranks import PORTAL
from controller.base.errors import NotPermitted, Refused
from controller.notifications.models import Webhook
from networks.overlay.models import Share
from networks.overlay.rules import waiting_for
from tests import factories

pytestmark = pytest.mark.django_db
USERS = "/api/v1/users/user/"
APPS = ("controller.accounts", "controller.configs", "controller.connections",
        "controller.devices", "controller.discovery", "controller.notifications",
        "controller.vpn", "geo", "networks.gateways", "networks.ipam", "networks.overlay", "pki",
        "supervisor_proxy")  # fmt: skip
ROLES = (
    "guest",
    "viewer",
    "operator",
    "site_admin",
    "org_admin",
    "admin",
    "super",
    "key",
    "narrow",
)


def rules_of_all_apps() -> Iterator[tuple[str, Any]]:
    for app in APPS:
        package: Any = import_module(f"{app}.rules")
        names = [package.__name__]
        names += [
            f"{package.__name__}.{one.name}"
            for one in pkgutil.iter_modules(getattr(package, "__path__", []))
        ]
        for name in names:
            for rule, found in inspect.getmembers(import_module(name), inspect.isfunction):
                if found.__module__ == name:
                    yield f"{name}.{rule}", inspect.unwrap(found)


def test_who_does_it_is_told_to_every_rule_that_asks() -> None:
    by_default = [
        name
        for name, rule in rules_of_all_apps()
        if (by := inspect.signature(rule).parameters.get("by")) is not None
        and by.default is not inspect.Parameter.empty
        # Records are of the request's user, unless somebody else is named.
        and not name.endswith((".record_audit", ".log_event"))
    ]
    assert by_default == []


# --- every rule that changes what somebody is, by those below


def member(organization: Organization, role: str) -> User:
    return factories.user(organization, role)


Changes = dict[str, Callable[[User], Any]]


def changes_of(organization: Organization, site: Site) -> Changes:
    """What an owner's account, membership, keys and addresses can be changed by."""
    owner = member(organization, "admin")
    row = owner.memberships.get()
    address = EmailAddress.objects.create(user=owner, email="two@example.org", verified=True)
    key = api_keys.create_key(owner, name="owner's")[0]
    newcomer = factories.user()
    asked = invitations.invite(
        by=owner, organization=organization, email="x@example.org", role="admin"
    )
    return {
        "grant": lambda by: memberships.grant(
            user=newcomer, organization=organization, role="admin", by=by
        ),
        "change_role": lambda by: memberships.change_role(row, role="viewer", by=by),
        "revoke": lambda by: memberships.revoke(row, by=by),
        "add_member": lambda by: memberships.add_member(
            newcomer, organization=organization, role="admin", by=by
        ),
        "update_user": lambda by: users.update_user(owner, bio="x", by=by),
        "deactivate": lambda by: users.update_user(owner, is_active=False, by=by),
        "flag": lambda by: users.update_user(owner, is_superuser=True, by=by),
        "delete_user": lambda by: users.delete_user(owner, by=by),
        "password": lambda by: passwords.set_password(owner, "Tester-12345", by=by),
        "e-mail": lambda by: users.update_user(owner, email="new@example.org", by=by),
        "delete key": lambda by: api_keys.delete_key(key, by=by),
        "invite": lambda by: invitations.invite(
            by=by, organization=organization, email="y@example.org", role="admin"
        ),
        "withdraw": lambda by: invitations.withdraw(asked, by=by),
        "site": lambda by: sites.grant(row, site, "full", by=by),
        "group": lambda by: permission_groups.save_group(name="g", by=by),
        "address": lambda by: ranks.check_can_manage_user(by, address.user),
    }


@pytest.mark.parametrize("role", ["guest", "viewer", "operator", "site_admin", "org_admin"])
def test_every_change_of_an_owner_is_refused_to_those_below(
    organization: Organization, role: str
) -> None:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    changes = changes_of(organization, site)
    by = member(organization, role)
    done = []
    for name, change in changes.items():
        try:
            with transaction.atomic():
                change(by)
                done.append(name)
        except NotPermitted:
            pass
    assert done == []


def test_a_permission_of_a_group_gives_no_rank(organization: Organization) -> None:
    from django.contrib.auth.models import Permission

    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    group = Group.objects.create(name="managers of users")
    group.permissions.set(Permission.objects.filter(codename__in=["change_user", "view_user"]))
    operator, peer = member(organization, "operator"), member(organization, "operator")
    operator.groups.add(group)
    operator = User.objects.get(pk=operator.pk)
    with pytest.raises(NotPermitted):
        memberships.change_role(operator.memberships.get(), role="org_admin", by=operator)
    with pytest.raises(NotPermitted, match="more of a site"):
        sites.grant(operator.memberships.get(), site, "full", by=operator)
    sites.grant(operator.memberships.get(), site, "read", by=PORTAL)
    operator = User.objects.get(pk=operator.pk)
    sites.grant(peer.memberships.get(), site, "read", by=operator)
    with pytest.raises(NotPermitted, match="more of a site"):
        sites.grant(peer.memberships.get(), site, "write", by=operator)


# --- the matrix of writes, over the API

# The table stands in docs/access.md. + is let in, - is refused, 0 finds nothing; the columns are
# ROLES. "key" is a key of an administrator without scopes, "narrow" one of a superuser for users
# alone. ACCESS=write writes it.
DOCS = Path(__file__).parents[2] / "docs/access.md"
HEAD = "| change | " + " | ".join(ROLES) + " |\n" + "|---" * (len(ROLES) + 1) + "|\n"


def matrix() -> dict[str, str]:
    text = DOCS.read_text().partition(HEAD)[2].partition("\n\n")[0]
    rows = ([cell.strip() for cell in one.strip("|").split("|")] for one in text.splitlines())
    return {name: "".join(cells) for name, *cells in rows}


def write_matrix(found: dict[str, str]) -> None:
    before, _, rest = DOCS.read_text().partition(HEAD)
    lines = (f"| {name} | " + " | ".join(one) + " |" for name, one in found.items())
    DOCS.write_text(before + HEAD + "\n".join(lines) + "\n\n" + rest.partition("\n\n")[2])


def people(organization: Organization) -> dict[str, APIClient]:
    found = {}
    for role in ROLES[:6]:
        found[role] = client_of(
            HTTP_AUTHORIZATION=factories.bearer(member(organization, role))["Authorization"]
        )
    root = factories.superuser()
    found["super"] = client_of(HTTP_AUTHORIZATION=factories.bearer(root)["Authorization"])
    keys = {
        "key": api_keys.create_key(member(organization, "org_admin"), name="k")[1],
        "narrow": api_keys.create_key(root, name="n", scopes=["user:read", "user:update"])[1],
    }
    return found | {name: client_of(HTTP_X_API_KEY=key) for name, key in keys.items()}


def client_of(**headers: str) -> APIClient:
    client = APIClient()
    client.credentials(**headers)
    return client


def calls(organization: Organization) -> dict[str, Callable[[APIClient], Any]]:
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    empty = sites.create_site(organization=organization, name="Bergen", slug="bergen")
    viewer, owner = member(organization, "viewer"), member(organization, "admin")
    key = api_keys.create_key(viewer, name="viewer's")[0]
    hook = Webhook.objects.create(
        organization=organization, name="hook", url="https://hooks.example.org/"
    )
    credential = factories.credentials(organization)
    sites.grant(viewer.memberships.get(), site, "read", by=PORTAL)
    asked = invitations.invite(
        by=owner, organization=organization, email="x@example.org", role="viewer"
    )
    new = {"new_password": "Tester-12345", "confirm_password": "Tester-12345"}
    pk, settings = (
        str(organization.pk),
        f"/api/v1/controller/organization/{organization.pk}/settings/",
    )
    grants = f"/api/v1/sites/{site.pk}/grants/"

    group = Group.objects.create(name="others")

    def own(client: APIClient) -> str:
        return str(client.get("/api/v1/auth/me").json()["id"])

    def own_key(client: APIClient) -> Any:
        key = ApiKey.objects.create(
            user_id=own(client), name="x", prefix="x", digest=str(len(own(client)))
        )
        return client.delete(f"/api/v1/api-keys/{key.pk}/")

    def membership(user: User, role: str) -> Callable[[APIClient], Any]:
        return lambda client: client.patch(
            f"{USERS}{user.pk}/",
            {"organization_users": [{"organization": pk, "role": role}]}, format="json",
        )  # fmt: skip

    def invited(role: str) -> Callable[[APIClient], Any]:
        return lambda client: client.post(
            "/api/v1/invitations/",
            {"organization_id": pk, "email": "n@example.org", "role": role}, format="json",
        )  # fmt: skip

    def json(method: str, path: str, body: Any = None) -> Callable[[APIClient], Any]:
        return lambda client: getattr(client, method)(path, body or {}, format="json")

    return {
        "own password": lambda client: client.post("/api/v1/auth/password", {
            "current_password": "a good password", "new_password": "Blue-Heron-77"}),
        "own e-mail": lambda client: client.post(
            f"{USERS}{own(client)}/email/", {"email": "mine@example.org"}),
        "own name": json("patch", "/api/v1/auth/me", {"full_name": "Ann Other"}),
        "own key made": json("post", "/api/v1/api-keys/", {"name": "x"}),
        "own key listed": json("get", "/api/v1/api-keys/"),
        "own key deleted": own_key,
        "viewer's password": json("put", f"{USERS}{viewer.pk}/password/", {"current_password": None, **new}),
        "viewer's e-mail": json("post", f"{USERS}{viewer.pk}/email/", {"email": "v@example.org"}),
        "viewer's name": json("patch", f"{USERS}{viewer.pk}/", {"first_name": "Vera"}),
        "viewer's role": membership(viewer, "operator"),
        "viewer deleted": json("delete", f"{USERS}{viewer.pk}/"),
        "owner's password": json("put", f"{USERS}{owner.pk}/password/", {"current_password": None, **new}),
        "owner's role": membership(owner, "viewer"),
        "owner deleted": json("delete", f"{USERS}{owner.pk}/"),
        "superuser made": json("patch", f"{USERS}{viewer.pk}/", {"is_superuser": True}),
        "member invited": invited("viewer"),
        "owner invited": invited("admin"),
        "invitation withdrawn": json("delete", f"/api/v1/invitations/{asked.pk}/"),
        "site granted": json("put", grants, {"user_id": str(viewer.pk), "access_level": "full"}),
        "grant taken away": json("delete", f"{grants}{viewer.pk}/"),
        "group made": json("post", "/api/v1/users/group/", {"name": "group"}),
        "settings": json("patch", settings, {"device_limit": 5}),
        "shared secret": json("post", f"{settings}rotate-secret/"),
        "organization renamed": json("patch", f"/api/v1/users/organization/{pk}/", {"name": "New"}),
        "account made": json("post", USERS, {
            "username": "new", "email": "new@example.org", "password": "Tester-12345",
            "organization_users": [{"organization": pk, "role": "viewer"}]}),
        "owner's account made": json("post", USERS, {
            "username": "new", "email": "new@example.org", "password": "Tester-12345",
            "organization_users": [{"organization": pk, "role": "admin"}]}),
        "viewer's key deleted": json("delete", f"/api/v1/api-keys/{key.pk}/"),
        "viewer deactivated": json("patch", f"{USERS}{viewer.pk}/", {"is_active": False}),
        "viewer in a group": json("patch", f"{USERS}{viewer.pk}/", {"groups": [group.pk]}),
        "site made": json("post", "/api/v1/sites/", {
            "organization_id": pk, "name": "Rome", "slug": "rome"}),
        "site renamed": json("patch", f"/api/v1/sites/{site.pk}/", {"name": "Roma"}),
        "site deleted": json("delete", f"/api/v1/sites/{empty.pk}/"),
        "webhook made": json("post", "/api/v1/notifications/webhook/", {
            "organization": pk, "name": "x", "url": "https://x.example.org/"}),
        "webhook's secret": json("post", f"/api/v1/notifications/webhook/{hook.pk}/rotate/"),
        "credential made": json("post", "/api/v1/controller/credential/", {
            "organization": pk, "name": "x", "connector": "openwisp_controller.connection.connectors.ssh.Ssh",
            "params": {"username": "root", "password": "x"}}),
        "credential changed": json(
            "patch", f"/api/v1/controller/credential/{credential.pk}/", {"name": "y"}),
        "messages of all": json(
            "patch", f"/api/v1/notifications/organization/{pk}/setting/", {"email": False}),
        "geocoder": json(
            "patch", f"/api/v1/controller/organization/{pk}/geo-settings/",
            {"estimated_location_enabled": False}),
    }  # fmt: skip


SIGNS = {403: "-", 404: "0", 401: "!", 409: "-"}


def test_each_role_changes_what_the_matrix_says(
    organization: Organization, settings: Any
) -> None:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    clients, found = people(organization), {}
    for name, call in calls(organization).items():
        seen = ""
        for role in ROLES:
            with transaction.atomic():
                status = call(clients[role]).status_code
                transaction.set_rollback(True)
            seen += SIGNS.get(status, "+" if status < 300 else f"({status})")
        found[name] = seen
    if os.environ.get("ACCESS") == "write":
        write_matrix(found)
    assert found == matrix()


# --- the doors of the admin


def organization_form(
    organization: Organization, by: User
) -> tuple[Client, dict[str, Any], str]:
    client = Client()
    client.force_login(by)
    path = f"/admin/accounts/organization/{organization.pk}/change/"
    page = client.get(path)
    sent: dict[str, Any] = {}
    for form in [page.context["adminform"].form]:
        sent |= {form.add_prefix(name): form[name].value() for name in form.fields}
    for inline in page.context["inline_admin_formsets"]:
        formset = inline.formset
        management = formset.management_form
        sent |= {
            management.add_prefix(name): management[name].value() for name in management.fields
        }
        for form in formset.initial_forms:
            sent |= {form.add_prefix(name): form[name].value() for name in form.fields}
    return (
        client,
        {
            name: value
            for name, value in sent.items()
            if value is not None and value is not False
        },
        path,
    )


def test_an_administrator_makes_nobody_owner_by_the_admin_page(
    organization: Organization,
) -> None:
    owner, by = member(organization, "admin"), member(organization, "org_admin")
    User.objects.filter(pk=by.pk).update(is_staff=True)
    by.refresh_from_db()
    client, sent, path = organization_form(organization, by)
    rows = {str(one.pk): one.user for one in organization.memberships.select_related("user")}
    at = {
        rows[str(value)].pk: name.removesuffix("-id")
        for name, value in sent.items()
        if name.startswith("memberships-") and name.endswith("-id") and str(value) in rows
    }
    client.post(path, sent | {f"{at[by.pk]}-role": "admin"})
    assert by.memberships.get().role == "org_admin"
    client.post(path, sent | {f"{at[owner.pk]}-role": "viewer"})
    client.post(path, sent | {f"{at[owner.pk]}-DELETE": "on"})
    assert owner.memberships.get().role == "admin"


def test_a_narrowed_key_of_a_superuser_takes_no_account_over(api: Any) -> None:
    root, other = factories.superuser(), factories.superuser()
    key = api_keys.create_key(root, name="n", scopes=["user:read", "user:update"])[1]
    client = client_of(HTTP_X_API_KEY=key)
    new = {"current_password": None, "new_password": "Tester-12345",
           "confirm_password": "Tester-12345"}  # fmt: skip
    assert client.put(f"{USERS}{other.pk}/password/", new).status_code == 403
    assert client.patch(f"{USERS}{other.pk}/", {"email": "x@example.org"}).status_code == 403
    assert client.patch(f"{USERS}{root.pk}/", {"password": "Tester-12345"}).status_code == 403
    nobody = factories.user()
    assert client.put(f"{USERS}{nobody.pk}/password/", new).status_code == 403


def test_nobody_is_added_unasked(api: Any, organization: Organization) -> None:
    manager, stranger = member(organization, "org_admin"), factories.user()
    with pytest.raises(NotPermitted, match="unasked"):
        memberships.grant(user=stranger, organization=organization, role="viewer", by=manager)
    row = invitations.invite(
        by=manager, organization=organization, email=stranger.email, role="viewer"
    )
    assert not Membership.objects.filter(user=stranger).exists()
    token = invitations.link_of(row).rstrip("/").rpartition("/")[2]
    accepted = api(stranger).post("/api/v1/auth/invitation/accept", {"token": token})
    assert accepted.status_code == 200
    assert stranger.memberships.get().role == "viewer"
    assert api(factories.user()).post(
        "/api/v1/auth/invitation/accept", {"token": token}
    ).status_code == 422  # fmt: skip


def test_an_invitation_is_good_while_its_inviter_has_the_rank(
    organization: Organization,
) -> None:
    manager, guest = member(organization, "org_admin"), factories.user()
    site = sites.create_site(organization=organization, name="Oslo", slug="oslo")
    row = invitations.invite(
        by=manager, organization=organization, email="x@example.org", role="operator",
        place=site, level="write",
    )  # fmt: skip
    token = invitations.link_of(row).rstrip("/").rpartition("/")[2]
    Membership.objects.filter(user=manager).update(role="operator")
    with pytest.raises(NotPermitted):
        invitations.accept(token, by=guest)
    Membership.objects.filter(user=manager).update(role="org_admin")
    invitations.accept(token, by=guest)
    assert SiteGrant.objects.get().level == "write"
    assert Invitation.objects.get().member == guest


def test_a_manager_sees_of_a_person_what_concerns_the_organization(
    api: Any, organization: Organization
) -> None:
    manager, shared = member(organization, "org_admin"), member(organization, "viewer")
    elsewhere = factories.organization()
    Membership.objects.create(user=shared, organization=elsewhere, role="admin")
    User.objects.filter(pk=shared.pk).update(notes="private", phone_number="123")
    shown = api(manager).get(f"{USERS}{shared.pk}/").json()
    assert shown["username"] == shared.username
    assert [one["organization"] for one in shown["organization_users"]] == [
        str(organization.pk)
    ]
    assert (shown["notes"], shown["phone_number"], shown["last_login"]) == (None, None, None)
    listed = api(manager).get(USERS).json()["results"]
    assert str(elsewhere.pk) not in str(listed)


def test_ones_own_new_address_counts_when_its_link_was_opened(
    api: Any, organization: Organization
) -> None:
    user = member(organization, "viewer")
    before = user.email
    client = api(user)
    made = client.post(
        f"{USERS}{user.pk}/email/", {"email": "new.ceo@b.example", "primary": True}
    )
    assert (made.status_code, made.json()["primary"], made.json()["verified"]) == (
        201,
        False,
        False,
    )
    client.patch(f"{USERS}{user.pk}/email/{made.json()['id']}/", {"primary": True})
    client.patch(f"{USERS}{user.pk}/", {"email": "other.ceo@b.example"})
    user.refresh_from_db()
    assert user.email == before
    row = EmailAddress.objects.get(email="new.ceo@b.example")
    token = emails.link_of(row, primary=True).rstrip("/").rpartition("/")[2]
    stranger = api(factories.user())
    assert stranger.post("/api/v1/auth/email/confirm", {"token": token}).status_code == 422
    assert client.post("/api/v1/auth/email/confirm", {"token": token}).status_code == 200
    user.refresh_from_db()
    assert user.email == "new.ceo@b.example"
    assert emails.owner_of("NEW.CEO@b.example") == user


# What a database may take for each other: its own address, and what is looked for.
ALICE = "alice@github.com"
LOOK_ALIKES = (
    (ALICE, "alice@g\u0131thub.com"),  # dotless i
    (ALICE, "al\u0131ce@github.com"),
    ("al\u0131ce@github.com", ALICE),
    (ALICE, "ALICE@G\u0130THUB.COM"),  # dotted capital I
    (ALICE, "alice@githu\u0432.com"),  # Cyrillic
    (ALICE, "\u0430lice@github.com"),
    (ALICE, "alice\u200b@github.com"),  # zero width
    (ALICE, "alic\u00e9@github.com"),
    (ALICE, "alice%@github.com"),
    (ALICE, "_lice@github.com"),
    ("alice@stra\u00dfe.example", "alice@strasse.example"),  # two domains
    ("alice@strasse.example", "alice@stra\u00dfe.example"),
    ("alice@STRASSE.example", "alice@stra\u1e9ee.example"),  # capital sharp s
)
SAME = (
    (ALICE, "ALICE@GITHUB.COM"),
    (ALICE, " alice@github.com "),
    ("Alice@GitHub.com", ALICE),
    (ALICE, "\uff41lice@github.com"),  # full width, which is the same letter to NFKC
    ("kay@github.com", "\u212aay@github.com"),  # Kelvin sign
    ("sam@github.com", "\u017fam@github.com"),  # long s
    ("m\u00fcller@example.org", "M\u00dcLLER@example.org"),
    ("m\u00fcller@example.org", "mu\u0308ller@example.org"),
)  # fmt: skip


def found_by(email: str) -> set[User | None]:
    return {emails.owner_of(email), emails.account_of(email)}


@pytest.mark.parametrize(("own", "email"), LOOK_ALIKES)
def test_addresses_that_look_alike_are_no_identity(own: str, email: str) -> None:
    factories.user(email=own)
    assert found_by(email) == {None}


@pytest.mark.parametrize(("own", "email"), SAME)
def test_spellings_of_one_address_are_one_identity(own: str, email: str) -> None:
    user = factories.user(email=own)
    found = found_by(email)
    # A database that does not know the letters finds nobody, which lets nobody in.
    assert found == {user} or (not own.isascii() and found == {None})


@pytest.mark.parametrize(
    ("own", "email"),
    [*SAME, *(pair for pair in LOOK_ALIKES if "stra" in pair[0].casefold())],
)
def test_an_address_in_another_spelling_is_taken(own: str, email: str) -> None:
    factories.user(email=own)
    with pytest.raises(Refused):
        emails.refuse_taken(email)


@pytest.mark.parametrize(("own", "email"), LOOK_ALIKES)
def test_a_share_is_not_for_an_address_that_looks_alike(own: str, email: str) -> None:
    network = factories.network(factories.user())
    Share.objects.create(network=network, email=own)
    assert waiting_for(factories.user(email=email)) == []


@pytest.mark.parametrize(("own", "email"), LOOK_ALIKES)
def test_single_sign_on_takes_no_look_alike_for_a_user(own: str, email: str) -> None:
    factories.user(email=own)
    with pytest.raises(NotPermitted):
        sso.authenticate_subject("subject", email=email, is_verified=True)
