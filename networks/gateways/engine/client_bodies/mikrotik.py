"""Changes of RouterOS as FreeSDN's web client stages them."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from networks.gateways.engine.features import Feature

Body = dict[str, Any]
# Properties by the client's name.
NAMES: Mapping[str, Mapping[str, str]] = {
    "mikrotik.system.backup.upload": {"content": "contents"},
}


def in_our_words(feature: Feature, operation: str, body: Body, target: str) -> tuple[Body, str]:
    names = NAMES.get(feature.key, {})
    body = {names.get(name, name): one for name, one in body.items()}
    if complete := COMPLETED.get(feature.key):
        body = complete(body)
    if operation == "create":
        # RouterOS omits unset properties.
        body = {name: one for name, one in body.items() if one != "" or name in KEPT}
    return body, target


# What is needed even where it is empty.
KEPT = frozenset({"password", "contents"})


def _time(body: Body) -> Body:
    """Return the time servers as one list, as RouterOS has them since 7."""
    names = ("primary-ntp", "secondary-ntp")
    if not body.keys() & set(names):
        return body
    rest = {name: one for name, one in body.items() if name not in names}
    return {"servers": [body[name] for name in names if body.get(name)], **rest}


def _switched(body: Body) -> Body:
    """Return an interface that is enabled as one that is not disabled."""
    if not isinstance(body.get("enabled"), bool):
        return body
    rest = {name: one for name, one in body.items() if name != "enabled"}
    return {"disabled": not body["enabled"], **rest}


def _priority(body: Body) -> Body:
    """Return a queue with a priority for each direction."""
    told = str(body.get("priority", ""))
    return {**body, "priority": f"{told}/{told}"} if told.isdigit() else body


def _export(body: Body) -> Body:
    """Return an export with a file name: the client tells a comment. RouterOS encrypts none."""
    if "file" in body or "name" in body or body.get("encrypted"):
        return body
    text = re.sub(r"[^A-Za-z0-9_.-]+", "-", str(body.get("comment", ""))).strip("-.")[:48]
    rest = {name: one for name, one in body.items() if name not in {"comment", "encrypted"}}
    return {"file": text or "export", **rest}


def _unlocked(body: Body) -> Body:
    """Return a backup that is loaded with the empty password, if the client tells none."""
    return {"password": "", **body}


COMPLETED: Mapping[str, Callable[[Body], Body]] = {
    "mikrotik.system.ntp": _time,
    "mikrotik.interfaces.toggle": _switched,
    "mikrotik.queues.simple": _priority,
    "mikrotik.system.backup.export_text": _export,
    "mikrotik.system.backup_load": _unlocked,
}
