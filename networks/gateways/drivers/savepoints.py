"""Automatic rollback on RouterOS: a scheduler reverts a change unless removed.

The scheduler is created before the change and removed once a new connection to the router
succeeds, so a rule that locks the portal out is reverted in less than a minute.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from networks.gateways.drivers.contract import Call
from networks.gateways.engine.features import Feature

SCHEDULER = "system/scheduler"
NAME = "muster-way-back"
# Shorter than the time before an unknown outcome is reconciled.
INTERVAL = "40s"
# All that the script needs.
POLICY = "read,write"
# In scripts, flags are yes and no.
FLAGS = {"true": "yes", "false": "no"}
Rows = list[dict[str, str]]


class Transport(Protocol):
    calls: list[Call]
    has_sent: bool

    def rows(self, menu: str, target: str = "") -> Rows: ...

    def add(self, menu: str, values: Mapping[str, str]) -> str: ...

    def put(self, menu: str, target: str, values: Mapping[str, str]) -> None: ...

    def remove(self, menu: str, target: str) -> None: ...

    def call(self, path: str, values: Mapping[str, str]) -> None: ...

    def run(self, path: str, values: Mapping[str, str]) -> Rows: ...

    def reconnect(self) -> None: ...

    def close(self) -> None: ...


class WayBack:
    def __init__(self, router: Transport) -> None:
        self._router = router
        # Remaining step, run once the router is reachable again.
        self._rest: Callable[[], None] | None = None
        # What the scheduler does, a line for each step that it takes back.
        self._scripts: list[str] = []

    def move(self, feature: Feature, target: str, there: str, back: str) -> None:
        """Move an item before another, or to the end; its old place is before ``back``."""
        menu, router = feature.path, self._router
        self._arm(f"/{menu}/move {target}" + (f" destination={back}" if back else ""))
        router.call(f"{menu}/move", moved(target, there))

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if operation == "create":
            return self._create(feature, values)
        menu, router = feature.path, self._router
        (held,) = router.rows(menu, target) or [{}]
        if operation == "delete":
            # Disable first, which has the same effect and can be reverted; delete on confirm.
            was = FLAGS.get(held.get("disabled", "false"), "no")
            self._arm(f"/{menu}/set {target} disabled={was}")
            router.put(menu, target, {"disabled": "true"})
            self._rest = lambda: router.remove(menu, target)
        else:
            old = " ".join(
                f"{name}={quoted(FLAGS.get(held[name], held[name]))}"
                if name in held
                else f"!{name}"
                for name in values
            )
            self._arm(f"/{menu}/set {target} {old}")
            router.put(menu, target, values)
        return target

    def confirm(self, feature: Feature) -> None:
        self._router.reconnect()
        if self._rest is not None:
            self._rest()
            self._rest = None
        self._scripts = []
        self._disarm()

    def _create(self, feature: Feature, values: Mapping[str, str]) -> str:
        # The id is unknown until the item exists, so a comment identifies it for the rollback.
        menu, router, mark = feature.path, self._router, f"muster {secrets.token_hex(8)}"
        self._arm(f"/{menu}/remove [find comment={quoted(mark)}]")
        made = router.add(menu, {**feature.constants, **values, "comment": mark})
        comment = values.get("comment", "")
        self._rest = lambda: router.put(menu, made, {"comment": comment})
        return made

    def _arm(self, script: str) -> None:
        self._disarm()
        self._scripts.insert(0, script)
        # Remove the scheduler first: a failing command ends the script.
        own = f"/{SCHEDULER}/remove [find name={quoted(NAME)}]"
        self._router.add(
            SCHEDULER,
            {
                "name": NAME,
                "interval": INTERVAL,
                "on-event": "; ".join([own, *self._scripts]),
                # What whoever makes it may do besides is not wanted, and may be more than its own.
                "policy": POLICY,
            },
        )

    def _disarm(self) -> None:
        for row in self._router.rows(SCHEDULER):
            if row.get("name") == NAME:
                self._router.remove(SCHEDULER, row[".id"])


def moved(target: str, there: str) -> dict[str, str]:
    """Return the arguments that move an item before another, or to the end."""
    return {"numbers": target, **({"destination": there} if there else {})}


def quoted(text: str) -> str:
    """Quote a string for RouterOS scripts."""
    for one in ("\\", '"', "$"):
        text = text.replace(one, f"\\{one}")
    return f'"{text}"'
