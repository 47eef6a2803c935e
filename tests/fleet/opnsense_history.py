"""Configurations that the stand-in OPNsense has had, and hosts that it pings."""

import copy
import json
import re
import uuid
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from tests.fleet.gateway import Told


class OPNsenseHistory:
    """Base with the parts of OPNsense that keep and tell what changes nothing."""

    rows: dict[str, dict[str, dict[str, Any]]]
    writes: list[str]

    def __init__(self) -> None:
        # Name, contents and rows of each configuration that it has had.
        self.history: list[tuple[str, bytes, dict[str, Any]]] = []
        # Hosts that are pinged, by job.
        self.jobs: dict[str, str] = {}

    def configuration(self) -> bytes:
        """Return config.xml: each object an element with its values."""
        lines = ['<?xml version="1.0"?>', "<opnsense>"]
        for kind, rows in self.rows.items():
            for name, row in rows.items():
                lines.append(f"  <{tag(kind)} uuid={quoteattr(name)}>")
                lines += [
                    f"    <{tag(n)}>{escape(text_of(v))}</{tag(n)}>" for n, v in row.items()
                ]
                lines.append(f"  </{tag(kind)}>")
        return "\n".join([*lines, "</opnsense>", ""]).encode()

    def note_history(self) -> None:
        """Keep the configuration, as the firewall does at each change of it."""
        now = self.configuration()
        if not self.history or self.history[-1][1] != now:
            name = f"config-{1_790_000_000 + len(self.history)}.0.xml"
            self.history.append((name, now, copy.deepcopy(self.rows)))

    def backup(self, path: str) -> Told:
        self.note_history()
        verb, *rest = path.split("/")
        if verb == "backups":
            found = [
                {"id": name, "time": name[7:17], "description": "", "filesize": len(contents)}
                for name, contents, _ in self.history
            ]
            return {"items": found}, 200
        by_name = {name: contents for name, contents, _ in self.history}
        return (by_name[rest[1]] if rest[1:] else self.history[-1][1]), 200

    def go_back(self, wanted: str) -> None:
        """Take a configuration of the history again; of another name nothing is known."""
        for name, _, rows in self.history:
            if name == wanted:
                self.rows = copy.deepcopy(rows)

    def pinged(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Ping by jobs, each with its statistics, and trace at once."""
        _, tool, verb, *job = path.split("/")
        if tool == "traceroute":
            rows = [
                {"ttl": 1, "AS": "", "host": "", "address": "192.0.2.254", "probes": "0.4 ms"}
            ]
            return {"result": "ok", "response": {"rows": rows}}
        if verb == "set":
            name = str(uuid.uuid4())
            self.jobs[name] = body["ping"]["settings"]["hostname"]
            return {"result": "ok", "uuid": name}
        if verb == "remove":
            del self.jobs[job[0]]
        if verb == "searchJobs":
            told = {"send": 3, "received": 3, "loss": "0.0 %", "avg": 1.25}
            return {"rows": [{"id": name, **told} for name in self.jobs]}
        return {"status": "ok"}


def tag(name: str) -> str:
    return re.sub(r"\W+", ".", name)


def text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
