"""SNMP 2c and 3: one asyncio loop for many agents, a few datagrams each."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from pysnmp.error import PySnmpError
from pysnmp.hlapi.v3arch import asyncio as snmp
from pysnmp.proto import rfc1905

from controller.base.errors import Refused, TimedOut, Unreachable
from controller.base.outbound import Kind, check_address
from controller.monitoring.engine.snmp import COLUMNS, SCALARS, Value

VERSION_2C, VERSION_3 = "2c", "3"
AUTH = {
    "": snmp.USM_AUTH_NONE, "MD5": snmp.USM_AUTH_HMAC96_MD5, "SHA": snmp.USM_AUTH_HMAC96_SHA,
    "SHA-224": snmp.USM_AUTH_HMAC128_SHA224, "SHA-256": snmp.USM_AUTH_HMAC192_SHA256,
    "SHA-384": snmp.USM_AUTH_HMAC256_SHA384, "SHA-512": snmp.USM_AUTH_HMAC384_SHA512,
}  # fmt: skip
PRIVACY = {
    "": snmp.USM_PRIV_NONE, "DES": snmp.USM_PRIV_CBC56_DES, "AES": snmp.USM_PRIV_CFB128_AES,
    "AES-192": snmp.USM_PRIV_CFB192_AES, "AES-256": snmp.USM_PRIV_CFB256_AES,
}  # fmt: skip
AT_ONCE = 50
REPETITIONS = 20
# Columns that are asked for in one datagram, so that it is not split on its way.
TOGETHER = 4
# A table is read to so many rows; of a larger one the rest is left out.
MOST_ROWS = 600
DEADLINE_SECONDS = 30.0
ANSWER_SECONDS, RETRIES = 2.0, 2
AWAY = "The SNMP agent does not answer: check the address, the community and the firewall."
MISSING = (rfc1905.NoSuchObject, rfc1905.NoSuchInstance, rfc1905.EndOfMibView)


@dataclass(frozen=True, slots=True)
class Secrets:
    """What an agent lets callers in with: a community (2c), or a user (3)."""

    version: str = VERSION_2C
    community: str = field(default="", repr=False)
    username: str = ""
    auth_protocol: str = ""
    auth_password: str = field(default="", repr=False)
    privacy_protocol: str = ""
    privacy_password: str = field(default="", repr=False)
    context: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """A device to be asked; the id comes back with what it said."""

    id: str
    host: str
    port: int
    secrets: Secrets


@dataclass(frozen=True, slots=True)
class Told:
    """What an agent said, or why it said nothing."""

    id: str
    scalars: Mapping[str, Value] = field(default_factory=dict)
    tables: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    reason: str = ""


async def ask_many(targets: Sequence[Target]) -> list[Told]:
    """Ask all of these agents side by side; none holds up another."""
    # An engine keeps users by name: those of different secrets must not meet in one.
    engines = {one.secrets: snmp.SnmpEngine() for one in targets}
    places = asyncio.Semaphore(AT_ONCE)
    try:
        return list(
            await asyncio.gather(*(_told(engines[one.secrets], one, places) for one in targets))
        )
    finally:
        for engine in engines.values():
            engine.close_dispatcher()


async def _told(engine: Any, target: Target, places: asyncio.Semaphore) -> Told:
    try:
        async with places, asyncio.timeout(DEADLINE_SECONDS):
            agent = await _Agent.of(engine, target)
            scalars = await agent.get(SCALARS)
            return Told(target.id, scalars, await agent.tables())
    except TimeoutError:
        return Told(target.id, reason=AWAY)
    except Refused as error:
        return Told(target.id, reason=str(error))
    except (PySnmpError, OSError, ValueError) as error:
        return Told(target.id, reason=f"The SNMP agent cannot be asked: {error}"[:300])


class _Agent:
    def __init__(self, engine: Any, secrets: Any, transport: Any, context: Any) -> None:
        self._how = (engine, secrets, transport, context)

    @classmethod
    async def of(cls, engine: Any, target: Target) -> _Agent:
        address = ip_address(target.host)
        check_address(Kind.DEVICE, address)
        kind = snmp.Udp6TransportTarget if address.version == 6 else snmp.UdpTransportTarget  # noqa: PLR2004
        transport = await kind.create(
            (str(address), target.port), timeout=ANSWER_SECONDS, retries=RETRIES
        )
        context = snmp.ContextData(contextName=target.secrets.context.encode())
        return cls(engine, _login(target.secrets), transport, context)

    async def get(self, wanted: Mapping[str, str]) -> dict[str, Value]:
        """Return the values of these objects; those that the agent does not have are left out."""
        answer = await snmp.get_cmd(
            *self._how, *map(_object, wanted.values()), lookupMib=False
        )  # fmt: skip
        found = {}
        for name, row in zip(wanted, _rows(answer), strict=False):
            value = _plain(row[1])
            if value is not None:
                found[name] = value
        return found

    async def tables(self) -> dict[str, dict[str, Value]]:
        found: dict[str, dict[str, Value]] = {}
        names = list(COLUMNS)
        for at in range(0, len(names), TOGETHER):
            found |= await self.columns(names[at : at + TOGETHER])
        return found

    async def columns(self, names: Sequence[str]) -> dict[str, dict[str, Value]]:
        """Return these columns: index → value."""
        found: dict[str, dict[str, Value]] = {name: {} for name in names}
        last = {name: COLUMNS[name] for name in names}
        while last:
            asked = list(last)
            answer = await snmp.bulk_cmd(
                *self._how, 0, REPETITIONS, *map(_object, last.values()), lookupMib=False
            )
            rows = _rows(answer)
            for at, (oid, value) in enumerate(rows):
                name = asked[at % len(asked)]
                if name in last and not _keep(found[name], last, name, str(oid), value):
                    del last[name]
            if not rows:
                break
        return found


def _keep(
    found: dict[str, Value], last: dict[str, str], name: str, oid: str, value: Any
) -> bool:
    """Keep a cell; return whether its column may have more."""
    head = f"{COLUMNS[name]}."
    plain = _plain(value)
    index = oid.removeprefix(head)
    if not oid.startswith(head) or plain is None or index in found or len(found) >= MOST_ROWS:
        return False
    found[index] = plain
    last[name] = oid
    return True


def _login(secrets: Secrets) -> Any:
    if secrets.version == VERSION_2C:
        return snmp.CommunityData(secrets.community, mpModel=1)  # noqa: S508 - named 2c
    return snmp.UsmUserData(
        secrets.username,
        secrets.auth_password or None,
        secrets.privacy_password or None,
        authProtocol=AUTH[secrets.auth_protocol if secrets.auth_password else ""],
        privProtocol=PRIVACY[secrets.privacy_protocol if secrets.privacy_password else ""],
    )


def _object(oid: str) -> Any:
    return snmp.ObjectType(snmp.ObjectIdentity(oid))


def _rows(answer: Any) -> list[Any]:
    """Return what came; raise where the agent did not answer, or refused."""
    problem, status, _, rows = answer
    if problem:
        text = str(problem)
        raise (
            TimedOut(AWAY)
            if "timeout" in text.lower()
            else Unreachable(f"The SNMP agent refuses: {text}"[:300])
        )
    return [] if status else list(rows)


def _plain(value: Any) -> Value | None:
    """Return a value as Python has it; None of an object that is missing."""
    if isinstance(value, MISSING):
        return None
    kind = type(value).__name__
    if kind in {"OctetString", "Opaque", "IpAddress"}:
        return bytes(value.asOctets())
    if kind in {"ObjectIdentifier", "ObjectIdentity"}:
        return str(value)
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
