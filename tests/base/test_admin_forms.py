"""Every form of the admin is used: pop-ups store, forms save, errors are shown."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.db.models import Model
from django.forms import MultiWidget
from django.test import Client
from django.utils.text import capfirst

from controller.accounts.models import Membership, Organization, User
from controller.base.admin import ScopedAdmin, admin_url
from controller.connections.models import Credentials
from controller.error_pages import server_error_page
from controller.firmware.models import Category
from controller.navigation import SIDEBAR, TABS
from controller.vpn.models import Vpn
from tests import demo_world, factories

pytestmark = pytest.mark.django_db

EMPTY = {"TOTAL_FORMS": "0", "INITIAL_FORMS": "0"}


def field_values(form: Any) -> dict[str, Any]:
    """Return what a browser sends for this form as it is shown."""
    sent: dict[str, Any] = {}
    for bound in form:
        value = bound.value()
        if value is None or value is False or hasattr(value, "read"):
            continue
        if isinstance(bound.field.widget, MultiWidget):
            parts = bound.field.widget.decompress(value)
            sent |= {f"{bound.html_name}_{at}": str(part) for at, part in enumerate(parts)}
        elif isinstance(value, list | tuple | set):
            sent[bound.html_name] = [str(getattr(one, "pk", one)) for one in value]
        else:
            typed = (
                bound.field.widget.input_type
                if hasattr(bound.field.widget, "input_type")
                else ""
            )
            sent[bound.html_name] = (
                value if typed else bound.field.widget.format_value(value) or ""
            )
    return sent


def shown_values(context: Any) -> dict[str, Any]:
    """Return what a browser sends for a page with its inlines."""
    sent = field_values(context["adminform"].form)
    for inline in context.get("inline_admin_formsets", ()):
        formset = inline.formset
        sent |= field_values(formset.management_form)
        for form in formset.initial_forms:
            sent |= field_values(form)
    return sent


def form_page(client: Client, url: str) -> Any:
    """Return the page's context if it has a form, else None."""
    page = client.get(url)
    shows = page.status_code == 200 and "adminform" in (page.context or {})
    return page.context if shows else None


def pages_with_forms(client: Client) -> Iterator[tuple[type[Model], str, Any]]:
    for model in list(site._registry):
        row = model._default_manager.first()
        urls = [admin_url(model, "add")]
        urls += [admin_url(model, "change", row.pk)] if row else []
        for url in urls:
            if context := form_page(client, url):
                yield model, url, context


def related_widgets(context: Any) -> Iterator[RelatedFieldWidgetWrapper]:
    inlines = context.get("inline_admin_formsets", ())
    for form in [context["adminform"].form, *(one.formset.empty_form for one in inlines)]:
        for field in form.fields.values():
            if isinstance(field.widget, RelatedFieldWidgetWrapper):
                yield field.widget


def new_values(owner: Organization) -> dict[str, dict[str, Any]]:
    """Return what a person fills in to add a row of each model that a pop-up can add."""
    of = {"organization": str(owner.pk), "name": "added-in-a-pop-up"}
    password = {"username": "root", "password": "a secret"}
    wireguard = {"wireguard": [{"name": "wg9", "port": 51820}]}
    ca = factories.ca(owner)
    return {
        "organization": {"name": "Added", "slug": "added", "is_active": "on"},
        "user": {
            "username": "ada", "email": "ada@example.org", "usable_password": "true",
            "password1": "a rather good one", "password2": "a rather good one",
        },
        "ca": of | {"key_length": "256", "digest": "sha256", "validity_days": "365"},
        "site": of | {"slug": "added", "timezone": "UTC", "is_active": "on"},
        "subnet": of | {"subnet": "10.210.0.0/24"},
        "devicegroup": of,
        "credentials": of | password | {"port": "22", "connector": Credentials.Connector.SSH.value, "params": json.dumps(password)},
        "vpn": of | {
            "backend": Vpn.Backend.WIREGUARD.value, "host": "vpn.example.org", "config": json.dumps(wireguard),
            "subnet": str(factories.subnet(owner, "10.211.0.0/24").pk), "ca": str(ca.pk),
        },
        "location": of | {"type": "outdoor", "geometry": "POINT (1 2)"},
        "category": of,
        "build": {"category": str(Category.objects.get_or_create(name="Routers", organization=owner)[0].pk), "version": "9.9"},
        "device": of | {"mac_address": "02:aa:00:00:00:01", "config_backend": ""},
    }  # fmt: skip


def answered(response: Any) -> dict[str, str]:
    """Return what the answer of a pop-up says to the form that opened it."""
    context = response.context or {}
    errors = context.get("form_errors")
    assert response.status_code == 200, response
    assert "adminform" not in context, errors or context["adminform"].form.errors
    found = re.search(r'data-popup-response="([^"]*)"', response.content.decode())
    assert found, response.content.decode()[:500]
    return json.loads(found[1].replace("&quot;", '"'))


def test_every_pop_up_stores_changes_and_deletes(client: Client) -> None:
    world = demo_world.build()
    client.force_login(world.people["super"])
    widgets = [one for *_, page in pages_with_forms(client) for one in related_widgets(page)]
    targets = {one.rel.model for one in widgets if one.can_add_related}
    deletable = {one.rel.model for one in widgets if one.can_delete_related}
    values = new_values(world.organization)
    assert {one._meta.model_name for one in targets} == set(values)
    for model in sorted(targets, key=lambda one: one._meta.label):
        url = f"{admin_url(model, 'add')}?_to_field=id&_popup=1"
        context = form_page(client, url)
        inlines = {
            f"{one.formset.prefix}-{name}": value
            for one in context["inline_admin_formsets"]
            for name, value in EMPTY.items()
        }
        sent = (
            inlines | values[model._meta.model_name or ""] | {"_popup": "1", "_to_field": "id"}
        )
        told = answered(client.post(url, sent))
        row = model._default_manager.get(pk=told["value"])
        assert told["obj"] == str(row)

        url = f"{admin_url(model, 'change', row.pk)}?_to_field=id&_popup=1"
        sent = shown_values(form_page(client, url)) | {"_popup": "1", "_to_field": "id"}
        told = answered(client.post(url, sent))
        assert (told["action"], told["value"]) == ("change", str(row.pk))
        assert model._default_manager.filter(pk=row.pk).exists()

        if model not in deletable:
            continue
        url = f"{admin_url(model, 'delete', row.pk)}?_to_field=id&_popup=1"
        told = answered(client.post(url, {"post": "yes", "_popup": "1", "_to_field": "id"}))
        assert (told["action"], told["value"]) == ("delete", str(row.pk))
        assert not model._default_manager.filter(pk=row.pk).exists()


def test_every_form_saves_as_it_is_shown(client: Client) -> None:
    world = demo_world.build()
    client.force_login(world.people["super"])
    refused = {}
    for model, url, context in pages_with_forms(client):
        if url.endswith("/add/") or not context["has_change_permission"]:
            continue
        page = client.post(url, shown_values(context))
        if page.status_code != 302:
            refused[model._meta.label] = page.context["form_errors"]
    assert refused == {}


@pytest.mark.once
def test_every_error_of_an_empty_form_is_shown(client: Client) -> None:
    world = demo_world.build()
    client.force_login(world.people["super"])
    for _, url, context in pages_with_forms(client):
        inlines = context.get("inline_admin_formsets", ())
        if not url.endswith("/add/") or not isinstance(
            context["adminform"].model_admin, ScopedAdmin
        ):
            continue
        sent = {f"{one.formset.prefix}-{k}": v for one in inlines for k, v in EMPTY.items()}
        page = client.post(url, sent)
        assert page.status_code == 200, url
        shown = page.content.decode()
        for label, message in page.context["form_errors"]:
            assert label, (url, message)
            assert f"<b>{label}:</b> {message}" in shown


def member_values(organization: Organization, **more: str) -> dict[str, str]:
    return {
        "username": "reader", "email": "reader@example.org", "is_staff": "on",
        "usable_password": "true",
        "password1": "a rather good one", "password2": "a rather good one",
        "memberships-TOTAL_FORMS": "1", "memberships-INITIAL_FORMS": "0",
        "memberships-0-organization": str(organization.pk), "memberships-0-role": "viewer",
    } | more  # fmt: skip


def test_a_user_is_added_with_a_membership_and_can_sign_in(
    client: Client, admin: User, organization: Organization
) -> None:
    client.force_login(admin)
    url = "/admin/accounts/user/add/"
    assert client.get(url).context["adminform"].form["is_staff"].value() is True
    page = client.post(url, member_values(organization))
    assert page.status_code == 302, page.context["adminform"].form.errors
    user = User.objects.get(username="reader")
    assert Membership.objects.get(user=user).role == "viewer"
    sign_in = {"username": "reader", "password": "a rather good one"}
    assert Client().post("/admin/login/?next=/admin/", sign_in).status_code == 302


def test_a_refused_membership_says_why_and_leaves_no_user(
    client: Client, admin: User, organization: Organization
) -> None:
    client.force_login(admin)
    sent = member_values(organization, **{"memberships-0-role": "emperor"})
    page = client.post("/admin/accounts/user/add/", sent)
    assert "<b>Role:</b> Select a valid choice" in page.content.decode()
    assert not User.objects.filter(username="reader").exists()


def test_a_user_with_a_weak_password_says_so_once(
    client: Client, admin: User, organization: Organization
) -> None:
    client.force_login(admin)
    weak = {"password1": "12345", "password2": "12345"}
    page = client.post("/admin/accounts/user/add/", member_values(organization, **weak))
    labels = [label for label, _ in page.context["form_errors"]]
    assert set(labels) == {"Password"}
    assert not User.objects.filter(username="reader").exists()


def test_the_only_choices_is_preselected(client: Client, organization: Organization) -> None:
    client.force_login(factories.user(organization, "admin", is_staff=True))
    for name in ("configs/template", "pki/ca", "connections/credentials", "networks/subnet"):
        form = client.get(f"/admin/{name}/add/").context["adminform"].form
        assert form["organization"].value() == organization.pk, name


def test_icons_are_hidden_from_screen_readers(client: Client, admin: User) -> None:
    client.force_login(admin)
    for url in ("/admin/", "/admin/devices/device/", "/admin/accounts/user/add/"):
        page = client.get(url).content.decode()
        tags = re.findall(r"<[^<>]*material-symbols-outlined[^<>]*>", page)
        assert tags
        assert [one for one in tags if not re.search("aria-(hidden|label)", one)] == []
        assert '<main id="content"' in page
        assert 'href="#content"' in page


def menu_entries() -> Iterator[dict[str, Any]]:
    for group in SIDEBAR["navigation"]:
        yield from group["items"]
    for tabs in TABS:
        yield from tabs["items"]


def test_menu_tab_and_page_have_the_same_name(client: Client, admin: User) -> None:
    client.force_login(admin)
    named = {
        admin_url(one, "changelist"): one._meta.verbose_name_plural for one in site._registry
    }
    for entry in menu_entries():
        if not callable(entry["link"]) and (plural := named.get(str(entry["link"]))):
            assert entry["title"] == capfirst(plural)


def test_errors_are_pages_of_the_portal(client: Client, admin: User) -> None:
    client.force_login(admin)
    page = client.get("/admin/nonsense/")
    assert (page.status_code, "Page not found" in page.content.decode()) == (404, True)
    assert "nav-sidebar" in page.content.decode()
    page = client.get("/admin/supervisor_proxy/updatecampaign/add/")
    assert (page.status_code, "You may not open this page" in page.content.decode()) == (
        403,
        True,
    )
    assert "/admin/supervisor_proxy/updatecampaign/" in page.content.decode()
    page = Client().get("/nonsense/")
    assert (page.status_code, "Sign in" in page.content.decode()) == (404, True)
    page = server_error_page()
    assert (page.status_code, b"request id" in page.content) == (500, True)


def test_lists_and_forms_have_titles_of_their_own(client: Client, admin: User) -> None:
    client.force_login(admin)
    template = factories.template(None, name="Welcome")
    title = re.compile(r"<title>\s*(.*?)\s*</title>", re.DOTALL)

    def title_of(url: str) -> str:
        found = title.search(client.get(url).content.decode())
        assert found
        return found[1]

    assert title_of("/admin/devices/device/") == "Devices | Muster"
    assert title_of("/admin/configs/template/add/") == "Add template | Muster"
    url = f"/admin/configs/template/{template.pk}/change/"
    assert title_of(url) == "Welcome | Template | Muster"
