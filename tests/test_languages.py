"""People get pages in their language and time zone; programs get English and UTC."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone, translation

from controller.accounts.rules import passwords
from controller.accounts.rules.preferences import locale_of
from tests import factories

pytestmark = pytest.mark.django_db
GERMAN = {"Accept-Language": "de-DE,de;q=0.9"}
# A menu, a title, the head of a column and a button that each page of this kind has.
PAGES = {
    "/admin/": ("Übersicht", "Geräte"),
    "/admin/devices/device/": ("Name, MAC-Adresse", "Ausstehende Geräte"),
    "/admin/devices/device/add/": ("Gerät hinzufügen", "Linux-Host über SSH"),
    "/admin/configs/template/add/": ("Konfiguration", "Standardmäßig"),
    "/admin/networks/gateway/": ("Gateways", "Gateway-Änderungen"),
    "/admin/networks/network/": ("Overlay-Netze",),
    "/admin/pki/ca/add/": ("Zertifizierungsstellen",),
    "/admin/accounts/user/preferences/": ("Sprache und Zeitzone",),
}
# Titles of the menu that no German page shows.
ENGLISH = re.compile(
    r">\s*(Devices|Credentials|Certificates|Overlay networks|Audit log|Users)\s*<"
)
REFUSED = (
    "/api/v1/controller/device/", "/api/v1/gateways/", "/api/networks", "/supervisor/v1/device",
    "/api/v1/controller/nothing/", "/api/v1/auth/me",
)  # fmt: skip


def signed_in(**fields: Any) -> Client:
    user = factories.superuser()
    for name, value in fields.items():
        setattr(user, name, value)
    user.save()
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("path", PAGES)
def test_pages_are_in_the_language_that_the_person_chose(path: str) -> None:
    page = signed_in(language="de").get(path).content.decode()
    assert '<html lang="de"' in page
    for text in PAGES[path]:
        assert text in page, text
    assert not ENGLISH.search(page), ENGLISH.search(page)


def test_pages_are_in_spanish_as_well() -> None:
    page = signed_in(language="es").get("/admin/devices/device/").content.decode()
    assert "Dispositivos" in page
    assert not ENGLISH.search(page)


def test_without_a_choice_the_browser_decides() -> None:
    client = signed_in()
    assert "Geräte" in client.get("/admin/", headers=GERMAN).content.decode()
    assert "Devices" in client.get("/admin/").content.decode()


def test_a_choice_counts_more_than_the_browser() -> None:
    assert "Devices" in signed_in(language="en").get("/admin/", headers=GERMAN).content.decode()


def test_a_language_is_chosen_on_its_page() -> None:
    client = signed_in()
    page = "/admin/accounts/user/preferences/"
    answer = client.post(page, {"language": "es", "time_zone": "Europe/Madrid"}, follow=True)
    assert "Guardado." in answer.content.decode()
    wrong = client.post(page, {"language": "xx", "time_zone": "Nowhere/City"})
    assert wrong.status_code == 200
    assert "errorlist" in wrong.content.decode()


def test_pages_of_languages_from_right_to_left_say_so(settings: Any) -> None:
    settings.LANGUAGES = [*settings.LANGUAGES, ("ar", "العربية")]
    page = signed_in(language="ar").get("/admin/").content.decode()
    assert 'dir="rtl"' in page


def test_times_are_in_the_zone_of_the_person() -> None:
    user = factories.superuser()
    user.time_zone = "Asia/Tokyo"
    with locale_of(user):
        shown = timezone.localtime(datetime(2026, 11, 30, 14, 25, tzinfo=UTC))
    assert f"{shown:%H:%M}" == "23:25"


@pytest.mark.parametrize("path", REFUSED)
def test_programs_get_english_whatever_they_ask_for(path: str) -> None:
    german, plain = signed_in(language="de"), Client()
    for client in (german, Client()):
        answer = client.get(path, headers=GERMAN)
        assert "Content-Language" not in answer.headers
    assert plain.get(path, headers=GERMAN).content == plain.get(path).content or "id" in (
        plain.get(path).content.decode()
    )


def test_the_openapi_document_is_english_in_every_language() -> None:
    client = signed_in(language="de")
    german = client.get("/api/v1/openapi.json", headers=GERMAN).content
    assert german == client.get("/api/v1/openapi.json").content
    assert b"Ger\\u00e4t" not in german
    assert "Gerät".encode() not in german


def test_no_language_stays_behind_for_the_next_request() -> None:
    signed_in(language="de").get("/admin/")
    assert translation.get_language() == "en"
    assert str(timezone.get_current_timezone()) == "UTC"


def test_mails_are_in_the_language_of_their_recipient(settings: Any) -> None:
    settings.MUSTER_PUBLIC_URL = "https://muster.example.org"
    user = factories.superuser()
    user.language = "de"
    user.save()
    assert passwords.send_reset_link(str(user.pk))
    assert mail.outbox[0].subject == "Neues Passwort setzen"
