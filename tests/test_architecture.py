"""House rules of docs/architecture.md that linters cannot check."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.mixins import LoginRequiredMixin
from django.core.exceptions import FieldDoesNotExist
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.permissions import AllowAny

from controller.accounts.models import OrganizationScoped
from controller.celery import app as celery
from controller.dialects.openwisp import OwnedViewSet

ROOT = Path(__file__).parents[1]
OURS = ("controller", "pki", "geo", "networks", "supervisor_proxy")
CODE = [
    path
    for top in OURS
    for path in (ROOT / top).rglob("*.py")
    if "migrations" not in path.parts
]
APPS = [
    *(ROOT / "controller" / name for name in (
        "accounts", "notifications", "devices", "connections", "vpn", "configs", "discovery",
        "monitoring", "firmware",
    )),
    *(ROOT / "networks" / name for name in ("ipam", "overlay", "gateways")),
    *(ROOT / name for name in ("pki", "geo", "supervisor_proxy")),
]  # fmt: skip
ROOMS = {
    "models", "rules", "api", "admin", "urls", "tasks", "engine", "drivers", "management",
    "migrations",
}  # fmt: skip

# Routes without authentication, each with a reason.
PUBLIC = {
    r"": "redirects to the admin",
    r"favicon.ico": "is a picture",
    r"api/v1/users/token/": "is where one signs in",
    r"api/v1/users/password/reset/(confirm/)?": "is for who cannot sign in",
    r"api/v1/auth/(login|login/mfa|token|refresh)": "is where one signs in",
    r"api/v1/auth/oidc/.*": "is where one signs in",
    r"api/v1/auth/(register|password/reset(-request)?|saml/.*)": "is for who cannot sign in",
    r"(api/v1/)?health(/|/live|/ready)?": "is for probes, and tells them no more than whether",
    r"api/v1/(setup/status|auth/sso/providers/public)": "is asked before signing in",
    r"metrics": "asks for the token of the settings, or a superuser",
    r"api/v1/(openapi.json|docs/|redoc/)?": "is documentation",
    r"pki/(crl|ocsp|ca)/.*": "tells anybody what is revoked, by RFC 5280 and 6960",
    r"pki/acme/.*": "asks for a signature with the account's key, by RFC 8555",
    r"api/join/.*": "asks for a join code, or for the token a device was given",
    r"network-device/<str:token>/": "asks for the link that was made for one device",
    r"\.well-known/est/.*": "asks for a device's id and key, by RFC 7030",
}
# Routes authenticated by a device's own key, checked in the rule they call.
BY_DEVICE_KEY = re.compile(r"controller/")


def routes(
    patterns: list[Any] | None = None, prefix: str = ""
) -> Iterator[tuple[str, URLPattern]]:
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = prefix + re.sub(r"^\^|\$$|\\Z$", "", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        else:
            yield path, pattern


def views_of_owned_rows() -> list[tuple[str, type[Any]]]:
    found = []
    for path, pattern in routes():
        view = getattr(pattern.callback, "cls", None)
        queryset = getattr(view, "queryset", None)
        if view and queryset is not None and issubclass(queryset.model, OrganizationScoped):
            found.append((path, view))
    return found


def test_every_route_asks_who_it_is_or_is_public_for_a_reason() -> None:
    for path, pattern in routes():
        if path.startswith("admin/") or BY_DEVICE_KEY.match(path):
            continue
        view: Any = getattr(pattern.callback, "cls", None) or getattr(
            pattern.callback, "view_class", None
        )
        permissions = getattr(view, "permission_classes", [])
        asks = bool(permissions) and AllowAny not in permissions
        asks |= isinstance(view, type) and issubclass(view, LoginRequiredMixin)
        assert asks or any(re.fullmatch(known, path) for known in PUBLIC), (
            f"{path} asks nobody who they are"
        )


def test_every_view_of_owned_rows_shows_only_the_callers() -> None:
    assert views_of_owned_rows()
    for path, view in views_of_owned_rows():
        assert issubclass(view, OwnedViewSet), path


def test_every_list_of_owned_rows_can_be_filtered_by_organization() -> None:
    for path, view in views_of_owned_rows():
        if not hasattr(view, "list"):
            continue
        filters = getattr(view, "filterset_class", None)
        assert filters, f"{path} has no filters"
        assert "organization" in filters.base_filters, path


def test_every_model_is_scoped_by_organization_or_listed_here() -> None:
    unscoped = {
        "User", "Organization", "Membership", "SiteGrant",  # define the scopes of all others
        "GroupRole",  # belongs to a group, and so to the portal
        "ApiToken", "ApiKey", "Session", "Authenticator", "BackupCode",  # belong to users
        "DeviceBatch", "DeviceBatchRow",  # of users who see all sites
        "SavedFilter",  # belongs to a user, or is shared by its row
        "Lockout",  # by name, whether or not the account exists
        "TableImport",  # belongs to a user
        "RememberedAnswer",  # belongs to a user
        "AuditEntry", "AuditChain",  # are scoped, and survive their organization
        "TemplateUse", "GroupTemplate", "RolloutDevice",  # through-rows between two scoped ones
        "RevocationList",  # is public
        "Sample", "Block",  # carry the number of a device, and are read through it alone
        "Notification", "Preference", "Mute",  # belong to users
        "Network", "Node", "Member", "Share", "JoinCode", "Account",  # belong to users
        "Pair", "Sighting", "WayMeasures", "MemberSubnet",  # follow from networks, which belong to users
    }  # fmt: skip
    ours = {path.name for path in APPS} | {"networks"}  # one Django app of three packages
    for model in apps.get_models():
        if model._meta.app_label in ours and model.__name__ not in unscoped:
            assert issubclass(model, OrganizationScoped), model


def test_every_setting_has_a_reader() -> None:
    text = (ROOT / "controller/settings.py").read_text()
    ours = set(re.findall(r"^([A-Z][A-Z_]+)(?::[^=]+)? = ", text, re.MULTILINE))
    known = {
        name
        for module in ("django.conf.global_settings",)
        for name in dir(__import__(module, fromlist=["x"]))
    }
    read = "\n".join(path.read_text() for path in CODE)
    for name in ours - known:
        if name.startswith(("CELERY_", "REST_FRAMEWORK", "SPECTACULAR_", "CONTENT_SECURITY")):
            continue
        mentions = len(re.findall(rf"\b{name}\b", read))
        assert mentions > 1 or name in LIBRARIES, f"nothing reads {name}"


# Settings read by libraries.
LIBRARIES = {
    "IMPORT_EXPORT_ESCAPE_FORMULAE_ON_EXPORT",
    "SOCIALACCOUNT_ADAPTER",
    "SOCIALACCOUNT_PROVIDERS",
    "UNFOLD",
    "ANONYMOUS_USER_NAME",
    "SPATIALITE_LIBRARY_PATH",
    "ROOT_URLCONF",
    "STATICFILES_DIRS",
}


def layers() -> list[set[str]]:
    """The apps of pyproject's layers, the lowest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    lines = next(one["layers"] for one in contracts["contracts"] if one["id"] == "apps")
    return [set(line.split(" | ")) for line in reversed(lines)]


def height(module: str) -> int:
    return next(
        (
            level
            for level, names in enumerate(layers())
            if any(f"{module}.".startswith(f"{name}.") for name in names)
        ),
        -1,
    )


def test_rules_name_only_tasks_of_their_own_app_and_of_lower_ones() -> None:
    """A task is named by a string, which import-linter does not see."""
    celery.autodiscover_tasks(force=True)
    where = {name: task.__module__ for name, task in celery.tasks.items()}
    shells = {"api", "admin", "urls"}
    named = 0
    for path in CODE:
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        if height(module) < 0 or shells & set(path.parts):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            text = node.value if isinstance(node, ast.Constant) else None
            if not (
                isinstance(text, str) and re.fullmatch(r"[a-z_]+(\.[a-z_]+)*\.tasks\.\w+", text)
            ):
                continue
            if "tasks" in path.parts or path.stem == "tasks":
                continue
            assert text in where, f"{path} names {text}, which is no task"
            assert height(where[text]) <= height(module), (
                f"{path} names {text}, of an upper app"
            )
            named += 1
    assert named > 10, "a rule names its tasks in some other way"


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_an_app_has_its_rooms_and_no_other(app: Path) -> None:
    found = {path.stem for path in app.iterdir() if path.name != "__pycache__"} - {"__init__"}
    assert {"models", "rules", "admin", "urls", "api"} <= found
    assert found <= ROOMS, f"{app.name} has {found - ROOMS}"
    rooms = {"serializers", "filters", "views"}
    api = {p.stem for p in (app / "api").rglob("*.py") if p.parent.name not in rooms}
    assert api <= {"__init__", *rooms}, api


def test_modules_stay_small() -> None:
    for path in CODE:
        assert len(path.read_text().splitlines()) <= 400, path


def test_only_two_modules_import_the_admins_look() -> None:
    # The look of pages, and the site that they belong to.
    known = {ROOT / "controller/base/admin/unfold.py", ROOT / "controller/admin_site.py"}
    for path in set(CODE) - known:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("unfold"), path


def test_several_rows_are_always_locked_in_the_order_of_their_keys() -> None:
    """Two transactions that lock the same rows in different orders wait for each other."""
    locks = 0
    for path in CODE:
        source = path.read_text()
        if "select_for_update" not in source:
            continue
        for function in ast.walk(ast.parse(source)):
            if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            text = ast.unparse(function)
            for statement in ast.walk(function):
                if not isinstance(statement, ast.stmt) or statement is function:
                    continue
                line = ast.unparse(statement)
                if "select_for_update" not in line or hasattr(statement, "body"):
                    continue
                locks += 1
                name = line.partition(" =")[0].partition(":")[0]
                single = rf"(select_for_update|\b{re.escape(name)}\b)[^\n]*\.(get|first|get_or_create)\("
                ordered = "order_by('pk')" in line or "skip_locked" in line or "pk=" in line
                assert ordered or re.search(single, text), f"{path}: {line}"
    assert locks > 20


def null_path(model: Any, name: str) -> bool:
    """Return whether a column that rows are ordered by can be NULL."""
    found = False
    for part in name.lstrip("-").split("__"):
        try:
            field = model._meta.pk if part == "pk" else model._meta.get_field(part)
        except FieldDoesNotExist:
            return found  # an annotation
        found = found or (field.concrete and field.null)
        model = field.related_model or model
    return found


def ordered_querysets(path: Path) -> Iterator[tuple[Any, str, str]]:
    """Yield model, name and text of each ``Model.objects….order_by("name")`` of a module."""
    models = {model.__name__: model for model in apps.get_models()}
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(attr="order_by", value=rows), args=args):
                chain = ast.unparse(rows)
                model = models.get(chain.partition(".objects")[0].split(".")[-1])
                if model is None or ".objects" not in chain:
                    continue
                for one in args:
                    if isinstance(one, ast.Constant) and isinstance(one.value, str):
                        yield model, one.value, f"{path}: {chain}"


def test_the_place_of_null_is_told_where_rows_are_ordered_by_it() -> None:
    """SQLite puts NULL first, PostgreSQL last."""
    places = [
        (model, name, f"Meta of {model.__name__}")
        for model in apps.get_models()
        for name in model._meta.ordering
        if isinstance(name, str) and model.__module__.split(".")[0] in OURS
    ]
    for path in CODE:
        places += ordered_querysets(path)
    assert len(places) > 100
    for model, name, text in places:
        field = name.lstrip("-")
        if null_path(model, name):
            excluded = (
                rf"{field}(__(isnull=False|lte?=|gte?=|in=)|=)|exclude\({field}=None|\.due\("
            )
            assert re.search(excluded, text), f"{text} orders by {name}, which can be NULL"
