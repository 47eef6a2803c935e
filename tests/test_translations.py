"""Catalogs of the languages are complete, and agree with the texts in the code."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.formats import date_format, localize
from django.utils.translation.template import templatize

from controller.base.derived_names import (
    derived_names,
    titles_of_engines,
    translate_derived_names,
)

ROOT = Path(settings.BASE_DIR)
LANGUAGES = [code for code, _name in settings.LANGUAGES if code != "en"]
DOMAINS = ("django", "djangojs")
APPS = ("controller", "geo", "networks", "pki", "supervisor_proxy")
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|\{\w+\}")
KEYWORDS = (
    "gettext_noop", "gettext_lazy", "ngettext:1,2", "ngettext_lazy:1,2", "pgettext:1c,2",
)  # fmt: skip
Entry = dict[str, str]


def entries(text: str) -> Iterator[Entry]:
    """Yield the entries of a catalog: their fields, and flags in ``#,``."""
    for block in re.split(r"\n\n+", text.strip()):
        found: Entry = {"#,": ""}
        field = ""
        for line in block.splitlines():
            if line.startswith("#,"):
                found["#,"] += line[2:]
            elif named := re.match(r'(msg\w+(?:\[\d\])?) (".*")$', line):
                field, found[named[1]] = named[1], unquoted(named[2])
            elif line.startswith('"'):
                found[field] += unquoted(line)
        if "msgid" in found:
            yield found


def unquoted(text: str) -> str:
    escapes = {"n": "\n", '"': '"', "\\": "\\", "t": "\t"}
    return re.sub(r"\\(.)", lambda at: escapes[at[1]], text[1:-1])


def catalog(language: str, domain: str) -> list[Entry]:
    path = ROOT / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
    return list(entries(path.read_text()))[1:]


def collected(paths: list[Path], language: str) -> set[str]:
    """Return the texts that xgettext finds in these files."""
    options = [f"--keyword={one}" for one in KEYWORDS]
    run = subprocess.run(
        ["xgettext", "--language", language, "--from-code=UTF-8", "--output=-", *options,
         "--keyword=_", "--files-from=-", "--no-location"],
        input="\n".join(str(path) for path in paths), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return {one["msgid"] for one in entries(run.stdout) if one["msgid"]}


def in_code(folder: Path) -> set[str]:
    paths = [path for app in APPS for path in (ROOT / app).rglob("*.py")]
    for at, path in enumerate((ROOT / "templates").rglob("*.html")):
        made = folder / f"{at}.py"
        made.write_text(templatize(path.read_text()))
        paths.append(made)
    return collected(paths, "Python")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_no_text_is_left_untranslated(language: str, domain: str) -> None:
    for one in catalog(language, domain):
        forms = [text for field, text in one.items() if field.startswith("msgstr")]
        assert all(forms), f"{language}: {one['msgid']} is not translated"
        assert "fuzzy" not in one["#,"], f"{language}: {one['msgid']} is fuzzy"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("domain", DOMAINS)
def test_translations_have_the_same_placeholders(language: str, domain: str) -> None:
    for one in catalog(language, domain):
        wanted = set(PLACEHOLDER.findall(one["msgid"]))
        for field, text in one.items():
            if field.startswith("msgstr"):
                assert set(PLACEHOLDER.findall(text)) == wanted, f"{language}: {one['msgid']}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_have_every_text_of_the_code(language: str, tmp_path: Path) -> None:
    known = {one["msgid"] for one in catalog(language, "django")}
    missing = in_code(tmp_path) - known
    assert not missing, f"run script/translate, and translate: {sorted(missing)[:20]}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_have_every_text_of_the_scripts(language: str) -> None:
    known = {one["msgid"] for one in catalog(language, "djangojs")}
    missing = collected(list((ROOT / "static/portal").glob("*.js")), "JavaScript") - known
    assert not missing, f"run script/translate, and translate: {sorted(missing)[:20]}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_compile(language: str, tmp_path: Path) -> None:
    for domain in DOMAINS:
        path = ROOT / "locale" / language / "LC_MESSAGES" / f"{domain}.po"
        subprocess.run(["msgfmt", "--check", "-o", tmp_path / "it.mo", path], check=True)


def test_names_of_fields_are_translated_only_once() -> None:
    translate_derived_names()
    assert derived_names() == []


def test_a_first_page_in_another_language_has_its_plurals() -> None:
    code = (
        "from django.utils import translation; translation.activate('de'); import controller.urls;"
        "from networks.models import Network; print(Network._meta.verbose_name_plural)"
    )
    shown = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v", "0", "-c", code],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.stdout.strip() == "Overlay-Netze"


def test_dates_and_numbers_are_written_alike_in_each_language(settings: Any) -> None:
    at = datetime(2026, 11, 30, 14, 25, tzinfo=UTC)
    for code, _name in settings.LANGUAGES:
        with translation.override(code):
            assert date_format(at, "DATETIME_FORMAT") == "2026-11-30 14:25"
            assert localize(1234.5) == "1234.5"


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogs_have_the_titles_of_engines(language: str) -> None:
    known = {one["msgid"] for one in catalog(language, "django")}
    missing = set(titles_of_engines()) - known
    assert not missing, f"run script/translate, and translate: {sorted(missing)[:20]}"
