"""Every list and every add form of the admin opens."""

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.test import Client

from controller.accounts.models import User
from controller.base.admin import admin_url


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["changelist", "add"])
def test_pages_open(client: Client, admin: User, page: str) -> None:
    client.force_login(admin)
    urls = [admin_url(one, page) for one in apps.get_models() if site.is_registered(one)]
    answers = {url: client.get(url).status_code for url in urls}
    # Some models have no add form.
    assert {url for url, status in answers.items() if status not in {200, 403}} == set()
