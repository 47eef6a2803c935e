import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.test import Client

from controller.accounts.models import User

MOST_BYTES = 2_000_000


def test_collected_files_have_hashed_names_and_every_page_finds_them(
    admin: User, settings: Any, tmp_path: Path
) -> None:
    settings.STATIC_ROOT = tmp_path
    # The production storage also compresses, which takes a minute and changes no name.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {
            "BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
        }
    }
    call_command("collectstatic", verbosity=0, interactive=False)
    client = Client()
    client.force_login(admin)
    for path in ("", "devices/device/add/", "configs/template/add/"):
        shown = client.get(f"/admin/{path}").content.decode()
        named = re.findall(r'(?:src|href)="/static/([^"]+)"', shown)
        assert len(named) > 10
        for name in named:
            assert (tmp_path / name).is_file(), name


def test_no_template_brings_a_script_of_its_own() -> None:
    inline = re.compile(r"<script(?![^>]*\b(?:src|type=.application/json))[^>]*>|\son\w+=")
    for path in (settings.BASE_DIR / "templates").rglob("*.html"):
        assert not inline.search(path.read_text()), path


def test_what_is_kept_of_libraries_stays_small() -> None:
    folder = settings.BASE_DIR / "static/vendor"
    assert sum(path.stat().st_size for path in folder.rglob("*")) < MOST_BYTES
    for library in folder.iterdir():
        assert library.is_file() or list(library.glob("LICENSE*")), library
