"""Who sees which secret: a marker in every secret field, looked for in every answer.

``tests/secrets.txt`` says who sees which marker where, in the columns of ``tests/access.txt``.
A secret field without a line fails, and so does a route that shows a secret which its line does
not name. Read a line before you add it:

    ACCESS=write pytest -n 0 tests/test_secrets.py     writes all lines that are missing or differ
"""

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.db import models
from django.test import Client
from rest_framework import serializers

from controller.accounts.models import User
from controller.base import secrets
from controller.base.masking import looks_secret
from controller.base.secret_fields import secret_fields
from controller.dialects.masking import MasksSecrets
from tests import planted
from tests.demo_world import ACTORS, World, build
from tests.rollback import rolled_back
from tests.test_access import CLIENT, operations, template_of
from tests.test_architecture import routes

TABLE = Path(__file__).with_name("secrets.txt")
LEGEND = """\
# Who sees which secret: + sees it. First every secret field of every model, and who sees it anywhere;
# then where. The columns are those of access.txt.
"""
# JSON fields that hold no settings with keys or passwords in them, and why.
PLAIN = {
    "networks.waymeasures.pairs": "round trips and counters",
    "accounts.apikey.scopes": "names of permissions",
    "accounts.auditentry.before": "masked when it is written",
    "accounts.auditentry.after": "masked when it is written",
    "accounts.site.settings": "of the interface",
    "accounts.site.subnets": "networks",
    "accounts.tableimport.found": "cells of a table, whose columns hold no secrets",
    "accounts.user.list_layouts": "names of columns",
    "accounts.version.changed": "names of fields",
    "configs.config.drift": "names of files",
    "configs.devicebatch.values": "an id",
    "configs.rollout.waves": "percentages",
    "configs.template.tags": "words",
    "devices.enrollment.told": "what the device says of itself",
    "devices.organizationsettings.command_types": "names",
    "devices.presence.gaps": "seconds",
    "firmware.firmwarerollout.options": "switches",
    "firmware.firmwarerollout.waves": "percentages",
    "firmware.gatewayrollout.waves": "percentages",
    "firmware.upgrade.options": "switches",
    "firmware.imagerequest.packages": "names of packages",
    "firmware.upgrade.planned": "names and versions of packages",
    "discovery.finding.ports": "numbers",
    "discovery.finding.said": "answers of strangers, without credentials",
    "discovery.finding.ways": "names of methods",
    "discovery.scan.excluded": "networks",
    "discovery.scan.methods": "names of methods",
    "discovery.scan.ports": "numbers",
    "discovery.scan.targets": "networks",
    "devices.organizationsettings.management_networks": "networks",
    "networks.change.after": "what the driver reads, which leaves secrets out",
    "networks.change.before": "what the driver reads, which leaves secrets out",
    "networks.change.intent": "what the driver reads, which leaves secrets out",
    "networks.change.writers": "ids",
    "networks.node.offers": "addresses and ports",
    "networks.pair.high_evidence": "an address and port, and times",
    "networks.pair.low_evidence": "an address and port, and times",
    "networks.change.payload": "what of it is secret is in another field",
    "networks.member.tags": "words",
    "networks.network.policy": "who reaches whom",
    "networks.network.policy_tests": "who reaches whom",
    "notifications.notice.data": "ids and names",
    "notifications.webhook.kinds": "names",
    "pki.acmeaccount.contact": "addresses",
    "pki.acmeaccount.jwk": "a public key",
    "pki.acmeorder.identifiers": "names",
    "pki.ca.extensions": "of a certificate, which is public",
    "pki.cert.extensions": "of a certificate, which is public",
    "supervisor_proxy.home.addons": "names and versions",
    "supervisor_proxy.supervisor.reported": "versions",
    "supervisor_proxy.supervisorcall.asked": "what of the body is no secret",
}  # fmt: skip
ANYWHERE = "anywhere"
# Secrets whose readers are chosen by another rule than a permission on their row.
OF_ANOTHER_RULE = {
    "accounts-version-values": "device:secret",
    "networks-joincode-secret": "network:update",
}
# Encrypted, and no secret of its row.
NO_SECRET = {"supervisor_proxy.SupervisorCall.answer": "masked before it is kept"}
# Serializers that show a secret by a rule of their own, and which.
BY_THEMSELVES = {
    "VersionDetail": "versions.shown_value",
    "WebhookSecretSerializer": "the new secret, which is shown this once",
    "CommandSerializer": "Command.shown_input",
    "CredentialsSerializer": "ParamsField",
}
OURS = {"accounts", "configs", "connections", "devices", "discovery", "firmware", "geo", "networks",
        "notifications", "pki", "supervisor_proxy", "vpn"}  # fmt: skip


def our_fields() -> Iterator[tuple[Any, Any]]:
    for model in apps.get_models():
        if model._meta.app_label in OURS:
            yield from ((model, one) for one in model._meta.concrete_fields)


ENCRYPTED = (secrets.EncryptedTextField, secrets.EncryptedBytesField)


def test_whatever_is_encrypted_is_a_secret_field() -> None:
    lacking = [
        f"{model._meta.label}.{field.name}"
        for model, field in our_fields()
        if isinstance(field, ENCRYPTED) and field.name not in secret_fields(model).names
    ]
    assert lacking == list(NO_SECRET)


def test_every_json_field_is_masked_inside_or_plain_for_a_reason() -> None:
    found = {
        f"{model._meta.label_lower}.{field.name}"
        for model, field in our_fields()
        if isinstance(field, models.JSONField) and field.name not in secret_fields(model).names
    }
    assert found == set(PLAIN)


def test_every_name_of_a_secret_is_a_secret_field_or_a_digest() -> None:
    found = [
        f"{model._meta.label}.{field.name}"
        for model, field in our_fields()
        if looks_secret(field.name) and field.name not in secret_fields(model).names
    ]
    # Public keys, what an Idempotency-Key was hashed to, and what ACME publishes.
    known = {
        "public_key",
        "host_key",
        "stage_key",
        "apply_key",
        "token",
        "shared_secret_digest",
    }
    assert [one for one in found if one.rpartition(".")[2] not in known] == []


def all_serializers(parent: Any = serializers.ModelSerializer) -> Iterator[Any]:
    for one in parent.__subclasses__():
        yield one
        yield from all_serializers(one)


def test_every_serializer_of_secret_fields_masks_them() -> None:
    wrong = []
    for one in all_serializers():
        model = getattr(getattr(one, "Meta", None), "model", None)
        if model is None or one.__module__.startswith(("rest_framework", "tests.")):
            continue
        declared = one._declared_fields
        shown = {
            name
            for name in secret_fields(model).names & set(getattr(one.Meta, "fields", ()))
            if not (name in declared and getattr(declared[name], "write_only", False))
        }
        if shown and not issubclass(one, MasksSecrets) and one.__name__ not in BY_THEMSELVES:
            wrong.append(f"{one.__module__}.{one.__name__}: {sorted(shown)}")
    assert wrong == []


# --- the walk


def api_paths(world: World) -> Iterator[tuple[str, str]]:
    for method, template in dict.fromkeys(operations()):
        if method == "GET":
            yield template, world.path(template)


def admin_paths(world: World) -> Iterator[tuple[str, str]]:
    for pattern, _ in routes():
        if not pattern.startswith("admin/") or "jsi18n" in pattern or "logout" in pattern:
            continue
        template = template_of(pattern)
        yield template, admin_path(world, template)


def admin_path(world: World, template: str) -> str:
    """The page of a row of the model that the path names."""
    parts = template.strip("/").split("/")
    row: Any = world.rows["device"]
    if len(parts) > 2:
        model = next(
            (m for m in site._registry if (m._meta.app_label, m._meta.model_name)
             == (parts[1], parts[2])), None
        )  # fmt: skip
        first = model._default_manager.first() if model else None
        row = first.pk if first is not None else row
    if "/home/on/" in template or "/supervisor/" in template:
        row = world.rows["controller/supervisor"]
    values = {
        "object_id": row, "pk": row, "id": row, "number": 1, "slug": "x",
        "device_id": world.rows["device"], "app_label": "devices", "content_type_id": 1,
        "backend": "netjsonconfig.OpenWrt",
    }  # fmt: skip
    for name, value in values.items():
        template = template.replace(f"{{{name}}}", str(value))
    return template


def answers(world: World) -> Iterator[tuple[str, str, set[str]]]:
    """Route, actor, and the markers that the answer holds."""
    yield from (
        (template, actor, markers(CLIENT, path, **world.headers[actor]))
        for template, path in api_paths(world)
        for actor in ACTORS
    )


def markers(client: Any, path: str, **headers: Any) -> set[str]:
    with rolled_back():
        answer = client.get(path, **headers)
        # What is not offered is 501, and what is away 502 to 504.
        assert answer.status_code != 500, path
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return planted.found_in(content)


def pages(world: World, of: Iterable[str]) -> Iterator[tuple[str, str, set[str]]]:
    for actor in of:
        client = Client(raise_request_exception=False)
        client.force_login(User.objects.get(pk=world.people[actor].pk))
        for template, path in admin_paths(world):
            yield template, actor, markers(client, path)


Table = dict[tuple[str, str], str]


def sightings(walk: Iterator[tuple[str, str, set[str]]]) -> dict[tuple[str, str], set[str]]:
    found: dict[tuple[str, str], set[str]] = defaultdict(set)
    for template, actor, seen in walk:
        for marker in seen:
            found[template, marker].add(actor)
    return found


def columns(actors: set[str]) -> str:
    return "".join("+" if actor in actors else "." for actor in ACTORS)


def table() -> Table:
    lines = (one.split() for one in TABLE.read_text().splitlines() if one[:1] not in "# ")
    return {(path, marker): found for path, marker, found in lines}


def line(path: str, marker: str, found: str) -> str:
    return f"{path:66} {marker:44} {found}"


def write(lines: Table) -> None:
    everywhere: dict[str, set[str]] = {name: set() for name in planted.names()}
    for (path, marker), found in lines.items():
        if path != ANYWHERE:
            everywhere[marker] |= {
                a for a, one in zip(ACTORS, found, strict=True) if one == "+"
            }
    first = [line(ANYWHERE, name, columns(everywhere[name])) for name in sorted(everywhere)]
    rest = [
        line(*key, found)
        for key, found in sorted(lines.items())
        if key[0] != ANYWHERE and "+" in found
    ]
    TABLE.write_text(LEGEND + "\n".join([*first, *rest]) + "\n")


@pytest.fixture
def world(db: Any, settings: Any) -> World:
    for name in ("REQUESTS", "SIGN_INS", "TOKENS"):
        setattr(settings, f"MUSTER_{name}_PER_MINUTE", 0)
    made = build()
    planted.plant(made)
    return made


# Each is one walk; the actors of pages are shared out, for these take longest.
WALKS = (None, ("guest", "viewer", "other"), ("operator", "site_admin"), ("org_admin", "admin"),
         ("super", "ungranted"), ("read", "write"))  # fmt: skip


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("of", WALKS)
def test_secrets_are_seen_by_those_alone_whom_the_table_names(
    world: World, of: tuple[str, ...] | None
) -> None:
    walk, who = (pages(world, of), of) if of else (answers(world), ACTORS)
    found = {key: columns(actors) for key, actors in sightings(walk).items()}
    check_permissions(world, found)
    known = {key: one for key, one in table().items() if is_about(key[0], is_page=bool(of))}
    if os.environ.get("ACCESS") == "write":
        write(table() | merged(known, found, who))
        return
    wrong = [
        line(*key, found.get(key, columns(set())))
        for key in sorted(found.keys() | known.keys())
        if of_actors(found.get(key), who) != of_actors(known.get(key), who)
    ]
    assert not wrong, "tests/secrets.txt wants these lines, if they are right:\n" + "\n".join(
        wrong
    )


def is_about(path: str, *, is_page: bool) -> bool:
    return path != ANYWHERE and path.startswith("/admin/") == is_page


def of_actors(found: str | None, who: Iterable[str]) -> set[str]:
    """Which of these actors a line lets see."""
    seen = {actor for actor, one in zip(ACTORS, found or "", strict=False) if one == "+"}
    return seen & set(who)


def merged(known: Table, found: Table, who: Iterable[str]) -> Table:
    """The table's lines with what was found of these actors."""
    others = set(ACTORS) - set(who)
    return {
        key: columns(of_actors(known.get(key), others) | of_actors(found.get(key), who))
        for key in found.keys() | known.keys()
    }


def check_permissions(world: World, found: Table) -> None:
    """Whatever the table says: who sees a secret holds the permission that its model names."""
    people = world.people | {"key": world.narrowed}
    by_name = {
        planted.name_of(model, field): secret_fields(model).permission
        for model in planted.secret_models()
        for field in secret_fields(model).names
    }
    wrong = [
        f"{actor} sees {marker} on {path}"
        for (path, marker), seen in sorted(found.items())
        for actor, one in zip(ACTORS, seen, strict=True)
        if one == "+"
        and not has_perm(people.get(actor), by_name[marker] or OF_ANOTHER_RULE.get(marker, ""))
    ]
    assert wrong == []


def has_perm(user: User | None, permission: str) -> bool:
    return bool(user and permission and user.has_perm_anywhere(permission))


def test_the_table_names_every_secret_field() -> None:
    assert {marker for path, marker in table() if path == ANYWHERE} == planted.names()
