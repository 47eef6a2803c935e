"""Kinds of commands: input schemas and the shell lines they produce."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import Any

from jsonschema import Draft7Validator

Input = Mapping[str, Any] | None

NOTHING: dict[str, Any] = {"type": "null"}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _text(title: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "title": title, "minLength": 1, "maxLength": 1024} | more


@dataclass(frozen=True, slots=True)
class Kind:
    label: str
    schema: Mapping[str, Any]
    """JSON Schema of the input."""
    line: Callable[[Any], str]
    """The input → the shell's command line; every value is quoted."""
    stdin: Callable[[Any], str] = lambda _: ""
    """What is fed to it: secrets go here, where no list of processes shows them."""
    secret: bool = False
    """Whether the input is hidden once it is stored."""
    shown: Callable[[Any], str] = lambda _: ""
    """The input in words, as OpenWISP's clients read it."""
    ends_connection: bool = False
    """Whether losing the connection is what success looks like."""


HOST = _text("Host", pattern=r"^[A-Za-z0-9][A-Za-z0-9.:-]*$", maxLength=253)
PASSWORD = _text("New password", minLength=6, maxLength=30, pattern=r"\S")

KINDS: Mapping[str, Kind] = {
    "custom": Kind(
        "Custom commands",
        _object(command=_text("Command", pattern=r"\S", maxLength=8192)),
        lambda given: str(given["command"]),
        shown=lambda given: str(given["command"]),
    ),
    "reboot": Kind("Reboot", NOTHING, lambda _: "reboot", ends_connection=True),
    "change_password": Kind(
        "Change password",
        _object(password=PASSWORD, confirm_password=PASSWORD),
        lambda _: 'read -r new; printf "%s\\n%s\\n" "$new" "$new" | passwd "$(id -un)"',
        stdin=lambda given: f"{given['password']}\n",
        secret=True,
        shown=lambda _: "********",
    ),
    "restart_service": Kind(
        "Restart a service",
        _object(service=_text("Service", pattern=r"^[A-Za-z0-9_.@-]+$", maxLength=64)),
        lambda given: (
            f"if command -v systemctl >/dev/null; then systemctl restart {quote(given['service'])}; "
            f"else /etc/init.d/{quote(given['service'])} restart; fi"
        ),
        shown=lambda given: str(given["service"]),
    ),
    "read_log": Kind(
        "Read the log",
        _object(lines=_text("Lines", pattern=r"^[1-9][0-9]{0,2}$", maxLength=3)),
        lambda given: (
            f"if command -v logread >/dev/null; then logread -l {quote(given['lines'])}; "
            f"else journalctl --no-pager -n {quote(given['lines'])}; fi"
        ),
        shown=lambda given: str(given["lines"]),
    ),
    "traceroute": Kind(
        "Trace the route from the device",
        _object(host=HOST),
        lambda given: f"traceroute -n -w 2 -m 20 {quote(given['host'])}",
        shown=lambda given: str(given["host"]),
    ),
    "ping": Kind(
        "Ping from the device",
        _object(host=HOST),
        lambda given: f"ping -c 4 {quote(given['host'])}",
        shown=lambda given: str(given["host"]),
    ),
}


def label_of(kind: str) -> str:
    """Return the label of a kind of command; unknown kinds are returned unchanged."""
    return KINDS[kind].label if kind in KINDS else kind


def problems(kind: str, given: Input) -> list[str]:
    """Return the validation errors of a command's input; empty if valid."""
    wrong = [error.message for error in Draft7Validator(KINDS[kind].schema).iter_errors(given)]
    if wrong or kind != "change_password" or given is None:
        return wrong
    same = given["password"] == given["confirm_password"]
    return [] if same else ["The two passwords are not the same."]
