"""RouterOS going back by itself: a scheduler that takes a change back, unless it is removed.

The scheduler is there before the change, and is removed when the router can be reached anew
after it; a rule that locks the portal out is gone, or as it was, in less than a minute.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Protocol

from networks.gateways.drivers.contract import Call
from networks.gateways.engine.features import Feature

SCHEDULER = "system/scheduler"
NAME = "muster-way-back"
# Shorter than what an unknown change is left alone for.
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

    def reconnect(self) -> None: ...

    def close(self) -> None: ...


class WayBack:
    def __init__(self, router: Transport) -> None:
        self._router = router
        # What is left to do when the router can still be reached.
        self._rest: Callable[[], None] | None = None

    def write(
        self, feature: Feature, operation: str, target: str, values: Mapping[str, str]
    ) -> str:
        if operation == "create":
            return self._create(feature, values)
        menu, router = feature.path, self._router
        (held,) = router.rows(menu, target) or [{}]
        if operation == "delete":
            # Disabled first, which is as good as gone, and can be taken back.
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
        self._disarm()

    def _create(self, feature: Feature, values: Mapping[str, str]) -> str:
        # Its id is not known before it is there, so that a comment tells it until then.
        menu, router, mark = feature.path, self._router, f"muster {secrets.token_hex(8)}"
        self._arm(f"/{menu}/remove [find comment={quoted(mark)}]")
        made = router.add(menu, {**feature.constants, **values, "comment": mark})
        comment = values.get("comment", "")
        self._rest = lambda: router.put(menu, made, {"comment": comment})
        return made

    def _arm(self, script: str) -> None:
        self._disarm()
        # It goes first: what follows ends the script where there is nothing to take back.
        own = f"/{SCHEDULER}/remove [find name={quoted(NAME)}]"
        self._router.add(
            SCHEDULER,
            {
                "name": NAME,
                "interval": INTERVAL,
                "on-event": f"{own}; {script}",
                # What whoever makes it may do besides is not wanted, and may be more than its own.
                "policy": POLICY,
            },
        )

    def _disarm(self) -> None:
        for row in self._router.rows(SCHEDULER):
            if row.get("name") == NAME:
                self._router.remove(SCHEDULER, row[".id"])


def quoted(text: str) -> str:
    """As a text of RouterOS's scripts."""
    for one in ("\\", '"', "$"):
        text = text.replace(one, f"\\{one}")
    return f'"{text}"'
