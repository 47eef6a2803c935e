"""The menu of the admin: django-unfold's, worked out with less."""

from typing import Any

import pytest
from django.contrib.admin import site
from django.test import RequestFactory
from unfold.sites import UnfoldAdminSite

from controller.accounts.models import User
from tests import factories

PATHS = ("/admin/", "/admin/devices/device/", "/admin/devices/device/?show=problems",
         "/admin/firmware/upgrade/",
         "/admin/supervisor_proxy/home/matrix/", "/admin/configs/devicebatch/add/",
         "/admin/pki/ca/1/change/", "/api/v1/")  # fmt: skip


def shown(items: Any) -> Any:
    """Return the parts of a menu or of tabs that a page shows, with lazy texts as texts."""
    names = ("title", "link", "link_callback", "active", "has_permission", "icon")
    return [
        {name: str(one[name]) for name in names if name in one and not callable(one[name])}
        | {"items": shown(one.get("items", ()))}
        for one in items
    ]


@pytest.mark.once
@pytest.mark.django_db
@pytest.mark.parametrize("path", PATHS)
def test_the_menu_and_the_tabs_are_those_of_the_theme(path: str) -> None:
    request = RequestFactory().get(path)
    request.user = factories.superuser()
    original = UnfoldAdminSite()
    assert shown(site.get_sidebar_list(request)) == shown(original.get_sidebar_list(request))
    assert shown(site.get_tabs_list(request)) == shown(original.get_tabs_list(request))


@pytest.mark.once
@pytest.mark.django_db
def test_the_list_of_apps_is_worked_out_for_those_alone_who_read_it(
    admin: User, django_assert_num_queries: Any
) -> None:
    request = RequestFactory().get("/admin/")
    request.user = admin
    apps = site.each_context(request)["available_apps"]
    assert {one["app_label"] for one in apps} >= {"devices", "networks", "pki"}
