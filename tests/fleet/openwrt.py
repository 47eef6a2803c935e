"""Stand-in OpenWrt with uhttpd's /ubus: sessions, UCI deltas, apply and confirm.

Facts of rpcd: what a session changes is seen by it alone until it is applied; an apply with
rollback has to be confirmed by the same session, and its services are reloaded a while after it;
anonymous sections are named by their place and their kind, so that names are another's later.
"""

import asyncio
import base64
import copy
import hashlib
import io
import secrets
import shlex
import tarfile
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from controller.base.archive import unpacked
from tests.fleet.gateway import StandIn, Told
from tests.fleet.http import Request

OK, INVALID, NO_METHOD, NOT_FOUND, NO_DATA, DENIED = 0, 2, 3, 4, 5, 6
NOT_SUPPORTED = 8
# What its commands print.
PRINTED = {
    "/bin/ping": "64 bytes from {host}: seq=0 ttl=64 time=1.250 ms\n",
    "/usr/bin/traceroute": " 1  192.0.2.254  0.400 ms\n 2  {host}  12.500 ms\n",
}
ARP = """IP address       HW type     Flags       HW address            Mask     Device
192.168.1.9      0x1         0x2         02:00:00:00:00:99     *        br-lan
"""
# rpcd tells no larger file.
LARGEST_READ = 256 * 1024
PACKAGES = ("dhcp", "firewall", "network", "system", "wireless")
Sections = dict[str, dict[str, Any]]
Edit = Callable[[Sections], None]


class OpenWrt(StandIn):
    vendor, version = "openwrt", "24.10.2"
    key, secret = "root", "secret-of-the-portal"

    def __init__(self, *, port: int = 0, version: str = "") -> None:
        super().__init__(port=port, version=version)
        self.files: dict[str, Sections] = {name: {} for name in PACKAGES}
        self.put("system", "system", hostname="OpenWrt", timezone="UTC")
        self.put("system", "timeserver", "ntp", enabled="1", server=["0.openwrt.pool.ntp.org"])
        self.put("network", "interface", "lan", proto="static", ipaddr="192.168.1.1")
        # Files besides those of uci.
        self.disk: dict[str, bytes] = {}
        self.put("wireless", "wifi-device", "radio0", band="5g", channel="36", htmode="VHT80")
        # Staged changes by session.
        self.sessions: dict[str, list[tuple[str, Edit]]] = {}
        # State to roll back to, the applying session, and the deadline.
        self.kept: tuple[dict[str, Sections], str, float] | None = None
        # After how long a change is in effect.
        self.reload_delay = 0.0
        self.services = {"dnsmasq": True, "firewall": True, "uhttpd": True, "rpcd": True}

    def put(self, package: str, kind: str, name: str = "", /, **values: Any) -> str:
        row = {".type": kind, ".anonymous": not name, **values}
        name = name or anonymous(len(self.files[package]) + 1, kind)
        self.files[package][name] = row
        return name

    def reread(self, package: str) -> None:
        """Names of places are those that the file has now."""
        self.files[package] = renamed(self.files[package])

    def text(self, package: str) -> str:
        """Return a package as uci writes it to the router's file."""
        lines = []
        for name, row in self.files[package].items():
            head = f"config {row['.type']}" + ("" if row[".anonymous"] else f" '{name}'")
            lines += ["", head]
            for key, value in row.items():
                if isinstance(value, list):
                    lines += [f"\tlist {key} '{one}'" for one in value]
                elif not key.startswith("."):
                    lines.append(f"\toption {key} '{value}'")
        return "\n".join(lines) + "\n"

    def held(self, feature: Any, target: str) -> dict[str, Any] | None:
        return self.files[feature.path].get(target)

    def pass_time(self, seconds: float) -> None:
        super().pass_time(seconds)
        if self.kept and self.clock >= self.kept[2]:
            self.files, self.kept = self.kept[0], None

    def is_write(self, request: Request) -> bool:
        name, method = (request.data.get("params") or ["", "", ""])[1:3]
        if self.trouble == "refuses":
            return name == "uci" and method in {"add", "set", "delete", "rename"}
        return (name, method) in {("uci", self.fails_at), ("system", "reboot")}

    def wording(self, request: Request) -> str:
        """Return the new sections of a confirmed apply as text."""
        old = self.kept[0] if self.kept else self.files
        brought = [
            (package, name, row)
            for package, sections in self.files.items()
            for name, row in sections.items()
            if old[package].get(name) != row
        ]
        return f"{super().wording(request)} {brought}"

    # The call that fails.
    fails_at = "confirm"

    def refusal(self) -> Told:
        return reply(INVALID), 200

    def tell(self, request: Request) -> Told:
        if request.path != "/ubus":
            return {}, 404
        session, name, method, args = request.data["params"]
        _, problems = self.judged("ubus call", f"{name} {method}", args)
        problems = [*problems, *self.unknown(f"{name} {method}", session, args)]
        if problems and (name, method) != ("session", "destroy"):
            missing = problems == ["no such call"]
            return reply(NO_METHOD if missing else INVALID), 200
        if (name, method) == ("session", "login"):
            return self.sign_in(args), 200
        if session not in self.sessions:
            fault = {"code": -32002, "message": "Access denied"}
            return {"jsonrpc": "2.0", "id": 1, "error": fault}, 200
        work = getattr(self, f"{name}_{method}".replace("-", "_").replace(".", "_"), None)
        if work is None and f"{name} {method}" in self.measured:
            return reply(OK, self.measured[f"{name} {method}"]), 200
        return (work(session, args) if work else reply(NO_METHOD)), 200

    async def respond(self, request: Request, writer: asyncio.StreamWriter) -> None:
        name, method, args = (request.data.get("params") or ["", "", "", {}])[1:4]
        if (name, method) == ("rc", "init") and args.get("name") in {"uhttpd", "rpcd"}:
            # It restarts what answers: the connection is gone, and so are the sessions.
            self.tell(request)
            self.sessions.clear()
            return
        await super().respond(request, writer)

    def unknown(self, call: str, session: str, args: dict[str, Any]) -> list[str]:
        """What a section of this kind does not have, by the names of its options."""
        if call not in {"uci add", "uci set"} or session not in self.sessions:
            return []
        kind = args.get("type") or self.kind_of(session, args)
        if not kind:
            return []
        told = {
            name: " ".join(one) if isinstance(one, list) else one
            for name, one in args.get("values", {}).items()
        }
        is_partial = call == "uci set"
        return self.judged("uci", f"{args['config']}.{kind}", told, is_partial=is_partial)[1]

    def kind_of(self, session: str, args: dict[str, Any]) -> str:
        section = self.seen(session, args["config"]).get(args.get("section", ""), {})
        return str(section.get(".type", ""))

    def sign_in(self, args: dict[str, Any]) -> Any:
        if (args.get("username"), args.get("password")) != (self.key, self.secret):
            return reply(DENIED)
        self.sessions[session := secrets.token_hex(16)] = []
        return reply(OK, {"ubus_rpc_session": session, "timeout": 300, "expires": 299})

    def session_access(self, _session: str, _args: Any) -> Any:
        return reply(OK, {"access": True})

    def system_board(self, _session: str, _args: Any) -> Any:
        release = {"distribution": "OpenWrt", "version": self.version}
        return reply(OK, {"hostname": "OpenWrt", "release": release})

    def system_info(self, _session: str, _args: Any) -> Any:
        return reply(OK, self.measured["system info"])

    def network_device_status(self, _session: str, _args: Any) -> Any:
        return reply(OK, self.measured["network.device status"])

    def system_reboot(self, _session: str, _args: Any) -> Any:
        self.booted += 1
        self.writes.append("system reboot")
        return reply(OK)

    def rpc_sys_upgrade_start(self, session: str, args: Any) -> Any:
        return self.system_reboot(session, args) if "keep" in args else reply(INVALID)

    rpc_sys_factory = system_reboot

    def rc_init(self, _session: str, args: Any) -> Any:
        if args.get("name") not in self.services:
            return reply(NOT_FOUND)
        self.services[args["name"]] = args["action"] != "stop"
        self.writes.append(f"rc init {args['action']}")
        return reply(OK)

    def rc_list(self, _session: str, args: Any) -> Any:
        found = {n: {"running": is_so} for n, is_so in self.services.items()}
        return reply(OK, {n: one for n, one in found.items() if args.get("name", n) == n})

    def session_destroy(self, session: str, _args: Any) -> Any:
        del self.sessions[session]
        return reply(OK)

    def archive(self) -> bytes:
        """Return what sysupgrade backs up, as it is: a tar.gz with the time in it."""
        stream = io.BytesIO()
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for package in self.files:
                info = tarfile.TarInfo(f"etc/config/{package}")
                data = self.text(package).encode()
                info.size, info.mtime = len(data), int(time.time())
                tar.addfile(info, io.BytesIO(data))
        return stream.getvalue()

    def file_exec(self, _session: str, args: Any) -> Any:
        words = args.get("params", [])
        if (text := PRINTED.get(args.get("command", ""))) is not None:
            told = text.format(host=words[-1])
            return reply(OK, {"code": 0, "stdout": told, "stderr": ""})
        if args.get("command") != "/sbin/sysupgrade" or len(words) != 2:
            return reply(DENIED)
        if words[0] == "-b":
            self.disk[words[1]] = self.archive()
        else:
            for one in unpacked(self.disk[words[1]]):
                self.files[one.path.rpartition("/")[2]] = parsed(one.contents.decode())
            self.writes.append("sysupgrade -r")
        return reply(OK, {"code": 0, "stdout": "", "stderr": ""})

    def file_write(self, _session: str, args: Any) -> Any:
        old = self.disk.get(args["path"], b"") if args.get("append") else b""
        self.disk[args["path"]] = old + base64.b64decode(args["data"])
        return reply(OK)

    def file_remove(self, _session: str, args: Any) -> Any:
        return reply(OK if self.disk.pop(args["path"], None) is not None else NOT_FOUND)

    def file_read(self, _session: str, args: Any) -> Any:
        if (held := self.disk.get(args["path"])) is not None:
            if len(held) >= LARGEST_READ:
                return reply(NOT_SUPPORTED)
            return reply(OK, {"data": base64.b64encode(held).decode()})
        if args.get("path") == "/proc/net/arp":
            return reply(OK, {"data": ARP})
        known = args.get("path") == "/proc/sys/kernel/random/boot_id"
        return reply(OK, {"data": f"boot-{self.booted}\n"}) if known else reply(NOT_FOUND)

    # --- uci

    def seen(self, session: str, package: str) -> Sections:
        found = copy.deepcopy(self.files[package])
        for where, edit in self.sessions[session]:
            if where == package:
                edit(found)
        return found

    def stage(self, session: str, args: Any, edit: Edit) -> Any:
        """Stage an edit, to be executed when the session is applied."""
        sections = self.seen(session, args["config"])
        if args["section"] not in sections:
            return reply(NOT_FOUND)
        try:
            edit(sections)
        except KeyError:
            return reply(NOT_FOUND)
        self.sessions[session].append((args["config"], edit))
        return reply(OK)

    def uci_get(self, session: str, args: Any) -> Any:
        if args.get("config") not in self.files:
            return reply(NOT_FOUND)
        found = {
            name: {**row, ".name": name, ".index": at}
            for at, (name, row) in enumerate(self.seen(session, args["config"]).items())
        }
        if "section" in args:
            one = found.get(args["section"])
            return reply(OK, {"values": one}) if one else reply(NOT_FOUND)
        return reply(OK, {"values": found})

    def uci_add(self, session: str, args: Any) -> Any:
        if args.get("config") not in self.files or "type" not in args:
            return reply(INVALID)
        row = {".type": args["type"], ".anonymous": "name" not in args, **args["values"]}
        seen = self.seen(session, args["config"])
        name = args.get("name") or anonymous(len(seen) + 1, args["type"])
        self.sessions[session].append(
            (args["config"], lambda found: found.update({name: dict(row)}))
        )
        return reply(OK, {"section": name})

    def uci_set(self, session: str, args: Any) -> Any:
        return self.stage(
            session, args, lambda found: found[args["section"]].update(args["values"])
        )

    def uci_rename(self, session: str, args: Any) -> Any:
        def rename(found: Sections) -> None:
            row = found.pop(args["section"])
            found[args["name"]] = {**row, ".anonymous": False}

        return self.stage(session, args, rename)

    def uci_delete(self, session: str, args: Any) -> Any:
        def delete(found: Sections) -> None:
            if "options" not in args:
                del found[args["section"]]
            for name in args.get("options", []):
                del found[args["section"]][name]

        return self.stage(session, args, delete)

    def uci_order(self, session: str, args: Any) -> Any:
        def order(found: Sections) -> None:
            rows = {name: found[name] for name in args["sections"]}
            rest = {name: row for name, row in found.items() if name not in rows}
            found.clear()
            found.update({**rows, **rest})

        return self.stage(session, {**args, "section": args["sections"][0]}, order)

    def uci_apply(self, session: str, args: Any) -> Any:
        if self.kept:
            return reply(DENIED)
        if not self.sessions[session]:
            return reply(NO_DATA)
        if args.get("rollback"):
            self.kept = (copy.deepcopy(self.files), session, self.clock + args["timeout"])
        edits, self.sessions[session] = self.sessions[session], []
        for package, edit in edits:
            with suppress(KeyError):  # already removed
                edit(self.files[package])
        for package in dict.fromkeys(package for package, _ in edits):
            self.files[package] = renamed(self.files[package])
            self.active.append(package)
        if self.locks_out:
            self.locked_from = time.monotonic() + self.reload_delay
        return reply(OK)

    def uci_confirm(self, session: str, _args: Any) -> Any:
        if not self.kept:
            return reply(NO_DATA)
        if self.kept[1] != session:
            return reply(DENIED)
        self.kept = None
        self.writes.append("uci confirm")
        return reply(OK)


def reply(code: int, data: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "result": [code] if data is None else [code, data]}


def parsed(text: str) -> Sections:
    """Read a package as uci reads its file."""
    found: Sections = {}
    row: dict[str, Any] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, name, *value = shlex.split(line)
        if word == "config":
            row = {".type": name, ".anonymous": not value}
            found[value[0] if value else anonymous(len(found) + 1, name)] = row
        elif word == "list":
            row[name] = [*row.get(name, []), value[0]]
        else:
            row[name] = value[0]
    return found


def anonymous(place: int, kind: str) -> str:
    return f"cfg{place:02x}{hashlib.sha256(kind.encode()).hexdigest()[:4]}"


def renamed(sections: Sections) -> Sections:
    """Rename anonymous sections by position and values, like rereading the file."""
    return {
        anonymous(at, row[".type"]) if row[".anonymous"] else name: row
        for at, (name, row) in enumerate(sections.items(), 1)
    }
