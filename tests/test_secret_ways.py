"""Secrets go no other way either: sockets, exports, writes, logs, tasks, mails, webhooks, the audit.

``tests/test_secrets.py`` walks everything that can be fetched. Here are the other ways: those
where one person is answered are held against the same table; those that many people or other
machines read (logs, messages, the audit) hold no secret at all.
"""

import base64
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.admin import site
from django.core import mail
from django.db import models
from django.test import Client
from django_filters import FilterSet

from controller.accounts.models import AuditEntry, User
from controller.accounts.rules.table_imports import RESOURCES
from controller.base.events import CHANNEL
from controller.base.redis import waiting_client
from controller.base.secret_fields import secret_fields
from controller.notifications.models import Notice
from controller.notifications.rules import email, webhooks
from controller.urls import sockets
from tests import planted
from tests.demo_world import ACTORS, World
from tests.rollback import rolled_back
from tests.sockets import Listener, played
from tests.test_access import CLIENT, operations
from tests.test_secrets import ANYWHERE, table, world

__all__ = ["world"]
STAFF = ACTORS[1:-1]
# A snapshot that is restored is the configuration from then on.
SAME_AS = {"configs-snapshot-made_of": "configs-config-config"}
WRITES = ("POST", "PUT", "PATCH", "DELETE")
SHARES = 3


def seen_anywhere() -> dict[str, set[str]]:
    """Return who may see a marker at all, as the table says."""
    return {
        marker: {a for a, one in zip(ACTORS, found, strict=True) if one == "+"}
        for (path, marker), found in table().items()
        if path == ANYWHERE
    }


def browser(world: World, actor: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(User.objects.get(pk=world.people[actor].pk))
    return client


def markers(answer: Any) -> set[str]:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return planted.found_in(content)


# --- what the caller is answered


def body_of(world: World, method: str, path: str) -> Any:
    """Return what a superuser reads there, which is written back with nothing masked."""
    if method not in {"PUT", "PATCH"}:
        return {}
    CLIENT.cookies.clear()
    shown = CLIENT.get(path, **world.headers["super"])
    if shown.status_code != 200 or "json" not in shown.get("Content-Type", ""):
        return {}
    found = shown.json()
    return found if isinstance(found, dict) else {}


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("share", range(SHARES))
def test_what_answers_a_write_shows_a_secret_to_those_alone_who_may_read_it(
    world: World, share: int
) -> None:
    allowed, wrong = seen_anywhere(), []
    writes = [one for one in dict.fromkeys(operations()) if one[0] in WRITES]
    for method, template in writes[share::SHARES]:
        path = world.path(template)
        body = body_of(world, method, path)
        for actor in ("anonymous", "guest", "viewer", "other", "read", "key", "operator"):
            CLIENT.cookies.clear()
            with rolled_back():
                answer = CLIENT.generic(
                    method, path, json.dumps(body), content_type="application/json",
                    **world.headers[actor],
                )  # fmt: skip
                found = markers(answer)
            # Nobody is told what they sent themselves.
            found -= planted.found_in(json.dumps(body).encode())
            wrong += [
                f"{actor} sees {one} of {method} {template}"
                for one in found
                if actor not in allowed[SAME_AS.get(one, one)]
            ]
    assert wrong == []


def test_an_export_holds_no_secret(world: World) -> None:
    assert set(RESOURCES) == {"devices.device", "geo.location"}
    for label in RESOURCES:
        for actor in STAFF:
            client = browser(world, actor)
            for kind in ("0", "1"):
                path = f"/admin/{label.replace('.', '/')}/export/"
                answer = client.post(path, {"format": kind, "resource": ""})
                assert markers(answer) == set(), (label, actor)


def test_no_column_of_an_exported_table_is_a_secret() -> None:
    assert list(secret_columns()) == []


def secret_columns() -> Iterator[tuple[str, str]]:
    for label, resource in RESOURCES.items():
        secret = secret_fields(resource._meta.model).names
        yield from ((label, one) for one in resource(user=None).columns if one in secret)


def autocompletes() -> Iterator[tuple[type[models.Model], str]]:
    for model, admin in site._registry.items():
        for name in getattr(admin, "autocomplete_fields", ()):
            yield model, name


def test_admin_searches_and_autocompletes_show_no_secret(world: World) -> None:
    for actor in STAFF:
        client = browser(world, actor)
        for model, name in autocompletes():
            asked = {"app_label": model._meta.app_label, "model_name": model._meta.model_name,
                     "field_name": name, "term": ""}  # fmt: skip
            assert markers(client.get("/admin/autocomplete/", asked)) == set()
        assert markers(client.get("/admin/search/", {"s": "a"})) == set()


# --- what answers tell without showing it


def names_in(lookups: Any) -> Iterator[str]:
    for one in lookups:
        name = one[0] if isinstance(one, tuple) else one
        if isinstance(name, str):
            yield name.lstrip("-^=@")


def is_secret(model: Any, lookup: str) -> bool:
    """Return whether a lookup such as ``device__key`` ends at or passes a secret field."""
    for part in lookup.split("__"):
        if model is None or part in {"pk", "id"}:
            return False
        if part in secret_fields(model).names:
            return True
        field = {one.name: one for one in model._meta.get_fields()}.get(part)
        model = getattr(field, "related_model", None)
    return False


def all_filter_sets(parent: Any = FilterSet) -> Iterator[Any]:
    for one in parent.__subclasses__():
        yield one
        yield from all_filter_sets(one)


def test_no_list_is_searched_sorted_or_filtered_by_a_secret() -> None:
    found = [
        f"{model._meta.label} {kind}: {name}"
        for model, admin in site._registry.items()
        for kind in ("search_fields", "list_filter", "ordering", "sortable_by")
        for name in names_in(getattr(admin, kind, None) or ())
        if is_secret(model, name)
    ]
    found += [
        f"{one.__name__}: {name}"
        for one in all_filter_sets()
        if getattr(one._meta, "model", None) is not None
        for name, filter_ in one.base_filters.items()
        if is_secret(one._meta.model, str(filter_.field_name))
    ]
    assert found == []


# --- sockets


def socket_paths(world: World) -> list[str]:
    known = {"device_id": world.rows["device"], "pk": world.rows["upgrade-operation"]}
    found = []
    for route in sockets[:-1]:
        pattern = route.pattern
        path = str(getattr(pattern, "_route", "") or pattern.regex.pattern)
        path = path.replace("^", "").replace("$", "").replace("(?:core|homeassistant)", "core")
        path = path.replace("(?P<device_id>[0-9a-f-]{36})", str(known["device_id"]))
        if "batch-" in path:
            pk = world.rows.get("batch-upgrade-operation", known["pk"])
        else:
            kind = "location" if "/location/<" in path else ""
            pk = world.rows.get(kind) or known["device_id" if "/device/<" in path else "pk"]
        found.append("/" + path.replace("<uuid:pk>", str(pk)))
    return found


SAID = ({"type": "subscribe", "events": ["*"], "ids": []}, {"type": "ping"},
        {"type": "request_current_state"}, {"type": "open"})  # fmt: skip


async def heard(path: str, headers: dict[str, str]) -> bytes:
    """Return all that a socket says to somebody who asks for everything."""
    listener, found = Listener(path, **headers), b""
    if await listener.connect():
        return b""
    for message in ({}, *SAID):
        if message:
            await listener.says(message)
        try:
            while True:
                answer = await listener.end.receive_output(0.1)
                found += json.dumps(answer, default=str).encode()
                if answer["type"] == "websocket.close":
                    return found
        except TimeoutError:
            # A client of a test ends with the first time that it waits in vain.
            return found
    return found


@pytest.mark.django_db(transaction=True)
def test_sockets_tell_a_secret_to_those_alone_who_may_read_it(world: World) -> None:
    allowed, wrong = seen_anywhere(), []
    paths = socket_paths(world)
    assert len(paths) == len(sockets) - 1

    async def scene() -> None:
        for path in paths:
            for actor in ACTORS:
                named = {
                    name.removeprefix("HTTP_").replace("_", "-").lower(): value
                    for name, value in world.headers[actor].items()
                }
                for one in planted.found_in(await heard(path, named)):
                    if actor not in allowed[one]:
                        wrong.append(f"{actor} hears {one} on {path}")

    played(scene)
    assert wrong == []


# --- what many people and other machines read


class Kept(logging.Handler):
    """Everything that is logged, with its arguments and tracebacks."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        # SQL is logged only where DEBUG is on.
        if not record.name.startswith("django.db"):
            self.lines.append(self.format(record) + repr(record.__dict__.get("extra", "")))


def in_redis() -> bytes:
    """Return all that is in Redis: messages of tasks, caches, counters."""
    redis, found = waiting_client(), []
    for key in redis.scan_iter():
        read: dict[str, Any] = {
            "string": redis.get,
            "list": lambda one: redis.lrange(one, 0, -1),
            "hash": redis.hgetall,
            "set": redis.smembers,
            "zset": lambda one: redis.zrange(one, 0, -1),
        }
        found.append(f"{key} {read[redis.type(key).decode()](key)!r}")
    redis.close()
    return decoded("\n".join(found)).encode()


def decoded(text: str) -> str:
    """Return a text with the bodies of Celery's messages beside their Base64."""
    plain = [
        base64.b64decode(one + "=" * (-len(one) % 4)).decode(errors="replace")
        for one in re.findall(r'"body": ?"([A-Za-z0-9+/]+)=*"', text.replace('\\"', '"'))
    ]
    return "\n".join([text, *plain])


@pytest.fixture
def logged() -> Iterator[list[str]]:
    handler, root = Kept(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


def all_of(events: Any) -> Iterator[str]:
    while (message := events.get_message(timeout=0.02)) is not None:
        if message["type"] == "message":
            yield message["data"].decode()


@pytest.mark.long
@pytest.mark.once
@pytest.mark.parametrize("share", range(SHARES))
def test_nothing_that_others_read_holds_a_secret(
    world: World, share: int, logged: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    """As a superuser, write back everything that can be written, and look what that left."""
    writes = [one for one in dict.fromkeys(operations()) if one[0] in WRITES]
    found: dict[str, set[str]] = {}
    done = sent = 0
    events = waiting_client().pubsub()
    events.subscribe(CHANNEL)
    heard = 0
    for method, template in writes[share::SHARES]:
        path = world.path(template)
        body = body_of(world, method, path)
        CLIENT.cookies.clear()
        logged.clear()
        mail.outbox.clear()
        with rolled_back():
            with django_capture_on_commit_callbacks(execute=True):
                answer = CLIENT.generic(
                    method, path, json.dumps(body), content_type="application/json",
                    **world.headers["super"],
                )  # fmt: skip
            email.mail()
            told = {
                "the log": "\n".join(logged).encode(),
                "Redis": in_redis(),
                "a mail": "\n".join(str(one.message()) for one in mail.outbox).encode(),
                "a webhook": repr(
                    [webhooks.payload(one) for one in Notice.objects.all()]
                ).encode(),
                "an event": "\n".join(all_of(events)).encode(),
                "the audit": repr(list(AuditEntry.objects.values())).encode(),
            }
        heard += bool(told["an event"])
        done += answer.status_code < 300
        sent += b"send_task" in told["Redis"] or b"argsrepr" in told["Redis"]
        for name, text in told.items():
            for marker in planted.found_in(text):
                found.setdefault(f"{name} holds {marker}", set()).add(f"{method} {template}")
    assert found == {}
    # Most are written, and many of them send a message to a worker.
    assert done > len(writes) / SHARES / 3, done
    assert sent, "no message was sent"
    assert heard, "no event was told"
    events.close()
