"""Stand-in RouterOS: one configuration behind the REST and the binary API."""

import asyncio
import base64
import contextlib
import re
import shlex
from collections.abc import Callable
from typing import Any

from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request
from tests.fleet.routeros_export import commands, export
from tests.fleet.routeros_tools import printed as told_by
from tests.fleet.routeros_tools import sentences

# What fresh settings hold besides flags that are off.
SETTINGS: dict[str, dict[str, str]] = {
    "ip/dns": {"servers": "", "cache-size": "2048"},
    "interface/l2tp-server/server": {"use-ipsec": "no"},
    "snmp": {"contact": "", "location": "", "trap-version": "1", "trap-community": "public"},
    "system/identity": {"name": "MikroTik"},
    "system/ntp/client": {"servers": ""},
    "system/package/update": {"channel": "stable", "installed-version": "7.24"},
}
# What only the router itself makes, or a test of settings of items begins with.
ITEMS: dict[str, tuple[dict[str, str], ...]] = {
    "ip/service": ({"name": "www-ssl", "port": "443"}, {"name": "ssh", "port": "22"}),
    "interface": ({"name": "ether1"},),
    "interface/ethernet": ({"name": "ether1", "poe-out": "auto-on"},),
    "caps-man/interface": ({"name": "cap1"},),
    "ip/firewall/filter": (
        {"chain": "forward", "action": "accept"}, {"chain": "forward", "action": "drop"},
    ),
}  # fmt: skip
REBOOTS = {
    "system/reboot", "system/shutdown", "system/package/update/install", "system/backup/load",
}  # fmt: skip
SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
READS = {"print", "login"}


class NoSuch(Exception):
    """The requested item does not exist; the text is RouterOS's."""


class MikroTik(StandIn):
    vendor, version = "mikrotik", "7.24"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.menus, self.settings = self.fresh()
        self.api_port = 0
        self.refusal_text = "invalid value"
        self.last = 0

    def fresh(self) -> tuple[dict[str, dict[str, dict[str, str]]], dict[str, dict[str, str]]]:
        """The menus of the contract: lists without items, and settings with all flags off."""
        lists: dict[str, dict[str, dict[str, str]]] = {}
        single: dict[str, dict[str, str]] = {}
        calls = self.contract.by_id
        for name, call in calls.items():
            menu, _, verb = name.rpartition(".")
            if verb == "list":
                lists[menu.replace(".", "/")] = {}
            elif verb == "update" and f"{menu}.list" not in calls:
                path, fields = (
                    menu.replace(".", "/"),
                    self.contract.body(call.told, self.version),
                )
                flags = {
                    n: "false" for n, one in fields.items() if one.get("type") == "boolean"
                }
                single[path] = {**flags, **SETTINGS.get(path, {})}
        return lists, single

    def sample(self, feature: Any) -> str:
        if feature.noun == "settings" or "create" in feature.operations or feature.action:
            return ""
        if not self.menus[feature.path]:
            for row in ITEMS[feature.path]:
                self.last += 1
                self.menus[feature.path][f"*{self.last:X}"] = {"disabled": "false", **row}
        return "order" if feature.noun else next(iter(self.menus[feature.path]))

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        if feature.noun == "order":
            return {"order": ",".join(self.menus[feature.path])}
        if feature.path in self.settings:
            return self.settings[feature.path]
        return self.menus[feature.path].get(target)

    def pass_time(self, seconds: float) -> None:
        """Run due schedulers, as far as our driver writes such scripts."""
        super().pass_time(seconds)
        for row in list(self.menus["system/scheduler"].values()):
            for command in row["on-event"].split("; "):
                self.run(command)

    def run(self, command: str) -> None:
        path, *words = shlex.split(command.replace("[find ", "").replace("]", ""))
        menu, _, verb = path.lstrip("/").rpartition("/")
        rows = self.menus[menu]
        name, _, value = words[0].partition("=")
        if verb == "move":
            self.move(menu, name, "".join(words[1:]).removeprefix("destination="))
            return
        found = [one for one, row in rows.items() if one == name or row.get(name) == value]
        for one in found:
            if verb == "remove":
                del rows[one]
                continue
            for word in words[1:]:
                key, is_set, text = word.partition("=")
                rows[one].pop(key.lstrip("!"), None)
                rows[one] |= self.spelled(menu, {key: text}) if is_set else {}

    # --- operations common to both APIs

    def rows(self, menu: str) -> list[dict[str, str]]:
        if menu == "system/resource":
            return [
                {"uptime": f"{self.booted}w1d2h3m4s", "version": f"{self.version} (stable)",
                 "cpu-load": "25", "cpu-count": "4", "total-memory": "1000",
                 "free-memory": "700", "total-hdd-space": "1000", "free-hdd-space": "800"}
            ]  # fmt: skip
        if menu in self.measured:
            rows = self.measured[menu]
            return [{**row, **self.menus.get(menu, {}).get(row[".id"], {})} for row in rows]
        if menu in self.settings:
            return [self.settings[menu]]
        if menu not in self.menus:
            raise NoSuch("no such command")
        return [{".id": name, **row} for name, row in self.menus[menu].items()]

    def add(self, menu: str, values: dict[str, str]) -> str:
        self.rows(menu)
        self.last += 1
        name = f"*{self.last:X}"
        before = values.pop("place-before", "")
        self.menus[menu][name] = {"disabled": "false", **self.spelled(menu, values)}
        if before:
            self.move(menu, name, before)
        self.note(f"{menu}/add")
        return name

    def put(self, menu: str, target: str, values: dict[str, str]) -> None:
        self.rows(menu)
        if menu in self.settings:
            row = self.settings[menu]
        elif target in self.menus[menu]:
            row = self.menus[menu][target]
        else:
            raise NoSuch("no such item")
        row.update(self.spelled(menu, values))
        for name in [name for name, value in values.items() if not value]:
            # What is unset is left out.
            del row[name]
        self.note(f"{menu}/set")

    def remove(self, menu: str, target: str) -> None:
        self.rows(menu)
        if self.menus[menu].pop(target, None) is None:
            raise NoSuch("no such item")
        self.note(f"{menu}/remove")

    def move(self, menu: str, target: str, before: str) -> None:
        """Put one before another, or to the end."""
        rows = self.menus[menu]
        if target not in rows or (before and before not in rows):
            raise NoSuch("no such item")
        row = rows.pop(target)
        names = list(rows)
        at = names.index(before) if before else len(names)
        kept = [*names[:at], target, *names[at:]]
        self.menus[menu] = {name: {**rows, target: row}[name] for name in kept}

    def note(self, what: str) -> None:
        if not what.startswith("system/scheduler"):
            self.writes.append(what)
            self.is_locked = self.locks_out

    def call(self, path: str, values: dict[str, str]) -> None:
        if path == "system/reset-configuration":
            self.reset(values["run-after-reset"])
        elif path in REBOOTS:
            self.booted += 1
        elif path in {"system/backup/save", "export"}:
            self.last += 1
            name = values.get("name") or values["file"]
            self.menus["file"][f"*{self.last:X}"] = {"name": name}
        elif path.endswith("/move"):
            menu = path.removesuffix("/move")
            self.move(menu, values["numbers"], values.get("destination", ""))
            self.note(path)
            return
        self.writes.append(path)

    def export(self) -> str:
        return export(f"of RouterOS {self.version}, {self.booted}", self.settings, self.menus)

    def reset(self, name: str) -> None:
        """Erase the configuration, and run the export of this name."""
        (file,) = (row for row in self.menus["file"].values() if row["name"] == name)
        self.menus, self.settings = self.fresh()
        for menu, verb, row in commands(file["contents"]):
            if verb == "set":
                self.settings[menu] = row
            else:
                self.last += 1
                self.menus[menu][f"*{self.last:X}"] = row
        self.booted += 1

    # --- REST

    def tell(self, request: Request) -> Told:
        expected = base64.b64encode(f"{self.key}:{self.secret}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {expected}":
            return {"error": 401, "message": "Unauthorized"}, 401
        call, problems = self.judged(request.method, request.path, request.data or {})
        if call is None or problems:
            return bad_request(problems[0])
        try:
            return self.rest(request.method, request.path.removeprefix("/rest/"), request.data)
        except NoSuch as error:
            if "item" not in str(error):
                return bad_request(str(error))
            return {"error": 404, "message": "Not Found", "detail": str(error)}, 404

    def spelled(self, menu: str, values: dict[str, str]) -> dict[str, str]:
        """Values as the router prints them."""
        calls, name = self.contract.by_id, menu.replace("/", ".")
        call = calls.get(f"{name}.create") or calls[f"{name}.update"]
        fields = self.contract.body(call.told, self.version)
        return {n: printed(fields.get(n, {}), str(v)) for n, v in values.items()}

    def rest(self, method: str, path: str, values: dict[str, str]) -> Told:
        menu, _, last = path.rpartition("/")
        found: Any = []
        if method == "GET" and last.startswith("*"):
            row = self.one(menu, last)
            return row, 200
        if method == "GET":
            found = self.rows(path)
            single = path in self.settings or path == "system/resource"
            return (found[0] if single else found), 200
        if method == "PUT":
            return self.one(path, self.add(path, values)), 201
        if method == "PATCH":
            self.put(menu, last, values)
            return self.one(menu, last), 200
        if method == "DELETE":
            self.remove(menu, last)
            return {}, 204
        if (told := told_by(self, path, values)) is not None:
            found = told
        elif last == "set":
            self.put(menu, values.pop(".id", ""), values)
        else:
            self.call(path, values)
        return found, 200

    def one(self, menu: str, target: str) -> dict[str, str]:
        for row in self.rows(menu):
            if row.get(".id") == target:
                return row
        raise NoSuch("no such item")

    def refusal(self) -> Told:
        return {"error": 400, "message": "Bad Request", "detail": self.refusal_text}, 400

    # --- the binary API

    async def listen(self) -> None:
        await super().listen()
        self._api = await asyncio.start_server(self._session, self.host, self.api_port)
        self.api_port = self._api.sockets[0].getsockname()[1]

    async def close(self) -> None:
        await super().close()
        self._api.close()

    async def _session(self, reader: Any, writer: asyncio.StreamWriter) -> None:
        known = False
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while sentence := await read_sentence(reader):
                if self.is_locked:
                    break
                tag = [one for one in sentence if one.startswith(".tag=")]
                command = sentence[0].lstrip("/")
                told = {
                    n: v for n, _, v in (w[1:].partition("=") for w in sentence if w[0] == "=")
                }
                if command == "login":
                    known, answer = self.login(told)
                elif not known:
                    answer = [["!fatal", "not logged in"]]
                else:
                    is_write = command.rpartition("/")[2] not in READS
                    answer = await self.troubled(command, told, sentence, is_write=is_write)
                if answer is None:
                    break
                for words in answer:
                    writer.write(b"".join(map(framed, [*words, *tag])) + b"\x00")
                await writer.drain()
        writer.close()

    def login(self, told: dict[str, str]) -> tuple[bool, list[list[str]]]:
        if (told.get("name"), told.get("password")) == (self.key, self.secret):
            return True, [["!done"]]
        return False, [["!trap", "=message=invalid user name or password (6)"], ["!done"]]

    async def troubled(
        self, command: str, told: dict[str, str], sentence: list[str], *, is_write: bool
    ) -> list[list[str]] | None:
        def work() -> list[list[str]]:
            return self.said(command, told, sentence)

        if not is_write:
            return work()
        if self.trouble == "refuses":
            return [["!trap", f"=message={self.refusal_text}"], ["!done"]]
        if self.trouble == "error":
            return [["!fatal", "session terminated"]]
        answer: list[list[str]] | None = await self.hit(" ".join(sentence), work)
        return answer

    def said(self, command: str, told: dict[str, str], sentence: list[str]) -> list[list[str]]:
        menu, _, verb = command.rpartition("/")
        method, path = as_rest(menu, verb, told)
        body = {name: value for name, value in told.items() if name != ".id"}
        call, problems = self.judged(method, path, body)
        if call is None or problems:
            return [["!trap", f"=message=unknown parameter {problems[0]}"], ["!done"]]
        try:
            if verb == "print":
                asked = [w[5:] for w in sentence if w.startswith(("?.id=", "?=.id="))]
                rows = [r for r in self.rows(menu) if not asked or r.get(".id") in asked]
                whole: Any = (
                    rows
                    if call.told.get("answer", {}).get("json") == "array"
                    else [*rows, {}][0]
                )
                self.judge_answer(command, 200, whole)
                return sentences(rows)
            if (answer := told_by(self, command, told)) is not None:
                return sentences(answer)
            if verb == "add":
                return [["!done", f"=ret={self.add(menu, told)}"]]
            if verb == "set":
                self.put(menu, told.pop(".id", ""), told)
            elif verb == "remove" and ".id" in told:
                self.remove(menu, told[".id"])
            else:
                self.call(command, told)
        except NoSuch as error:
            return [["!trap", f"=message={error}"], ["!done"]]
        return [["!done"]]


def bad_request(detail: str) -> Told:
    return {"error": 400, "message": "Bad Request", "detail": detail}, 400


def printed(field: dict[str, Any], value: str) -> str:
    """A value as the router prints it."""
    told = str(field.get("read_as", ""))
    for start, spell in PRINTED.items():
        if told.startswith(start):
            return spell(field, value)
    return value


def bits(text: str) -> int:
    return int(text.rstrip("kMG")) * {"k": 10**3, "M": 10**6, "G": 10**9}.get(text[-1:], 1)


def duration(text: str) -> str:
    if not re.fullmatch(r"(\d+[wdhms])+", text):
        return text
    left = sum(int(n) * SECONDS[unit] for n, unit in re.findall(r"(\d+)([wdhms])", text))
    found = ""
    for unit, size in SECONDS.items():
        count, left = divmod(left, size)
        found += f"{count}{unit}" if count else ""
    return found or "0s"


PRINTED: dict[str, Callable[[dict[str, Any], str], str]] = {
    "upper case": lambda _, value: value.upper(),
    "/32 of one host": lambda _, value: value.removesuffix("/32"),
    "bits per second": lambda _, value: "/".join(str(bits(one)) for one in value.split("/")),
    "1w2d": lambda _, value: duration(value),
    "1d": lambda _, value: duration(value),
    "true/false": lambda _, value: {"yes": "true", "no": "false"}.get(value, value),
    "comma-separated, in the order": lambda field, value: ",".join(
        one for one in field["values"] if one in value.split(",")
    ),
}


def as_rest(menu: str, verb: str, told: dict[str, str]) -> tuple[str, str]:
    """The method and path at REST of a command of the binary API."""
    target = f"/{told['.id']}" if ".id" in told else ""
    methods = {"print": "GET", "add": "PUT", "remove": "DELETE"}
    if verb == "set" and target:
        return "PATCH", f"/rest/{menu}{target}"
    if verb in methods and (verb != "remove" or target):
        return methods[verb], f"/rest/{menu}{target}"
    return "POST", "/rest/" + f"{menu}/{verb}".lstrip("/")


def framed(word: str) -> bytes:
    data = word.encode()
    if len(data) < 0x80:
        return bytes([len(data)]) + data
    return (len(data) | 0x8000).to_bytes(2, "big") + data


async def read_sentence(reader: asyncio.StreamReader) -> list[str]:
    words = []
    while True:
        size = (await reader.readexactly(1))[0]
        if size & 0x80:
            size = ((size & 0x3F) << 8) + (await reader.readexactly(1))[0]
        if not size:
            return words
        words.append((await reader.readexactly(size)).decode())
