"""Terminals on a real SSH server: tickets, permissions, recordings and closing."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from controller.accounts.models import Membership, Organization, User
from controller.accounts.rules import issue_token
from controller.base.errors import Conflict
from controller.connections.models import Terminal, TerminalPart
from controller.connections.rules import terminal_session, terminals
from controller.connections.rules.terminal_session import Session
from controller.devices.models import Device
from tests import factories
from tests.fleet.ssh import SshDevice
from tests.sockets import Listener, played

# Consumers return database connections after each step, as on a server.
pytestmark = pytest.mark.django_db(transaction=True)
SOCKET = "/api/v1/ws/terminal"
SIZE = {"columns": 80, "rows": 24}


@pytest.fixture
def device(organization: Organization, tmp_path: Path) -> Iterator[Device]:
    with SshDevice(tmp_path) as server:
        params = {"username": server.username, "key": server.private_key}
        device = factories.device(organization, name="ap-1", management_ip=server.host)
        factories.connection(
            device, factories.credentials(organization, params=params),
            port=server.port, host_key=server.host_key,
        )  # fmt: skip
        yield device


@pytest.fixture
def person(organization: Organization) -> User:
    return factories.user(organization, "org_admin")


@pytest.fixture
def offer(api: Any, person: User, device: Device) -> Any:
    def offer(user: User | None = None, **body: Any) -> Any:
        given = {"device": str(device.pk), "reason": "to look"} | body
        return api(user or person).post("/api/v1/controller/terminal/", given)

    return offer


async def listen(user: User) -> Listener:
    token = await sync_to_async(issue_token)(user, name="terminal")
    listener = Listener(SOCKET, authorization=f"Bearer {token}")
    assert await listener.connect() == 0
    return listener


async def shown(listener: Listener, text: str) -> str:
    """Read the terminal's output until it contains this text."""
    seen = ""
    while text not in seen:
        seen += (await listener.hears_bytes()).decode()
    return seen


def test_what_is_typed_is_done_shown_and_recorded(
    api: Any, person: User, device: Device, offer: Any
) -> None:
    answer = offer()
    assert answer.status_code == 201, answer.content
    ticket = answer.json()["ticket"]

    async def scene() -> None:
        listener = await listen(person)
        await listener.says({"type": "open", "ticket": ticket} | SIZE)
        await listener.says_bytes(b"stty size; echo $((6*7)) answers\n")
        assert "24 80" in await shown(listener, "42 answers")
        await listener.says({"type": "resize", "columns": 120, "rows": 40})
        await listener.says_bytes(b"stty size\n")
        await shown(listener, "40 120")
        await listener.says_bytes(b"exit\n")
        assert await listener.closes() == 1000

    played(scene)
    row = Terminal.objects.get()
    assert (row.state, row.closed_because) == ("closed", "The device ended it.")
    client = api(person)
    url = f"/api/v1/controller/terminal/{row.pk}/"
    assert client.get(url).json()["ticket"] is None, "it is shown once"
    head, *events = client.get(f"{url}recording/").content.decode().splitlines()
    assert json.loads(head)["width"] == 80
    said = "".join(text for _, kind, text in map(json.loads, events) if kind == "o")
    assert "42 answers" in said
    assert ["r", "120x40"] in [json.loads(event)[1:] for event in events]


def test_a_ticket_is_good_once_for_a_minute_and_for_one_user(
    person: User, organization: Organization, offer: Any
) -> None:
    other = factories.user(organization, "org_admin")
    tickets = [offer().json()["ticket"] for _ in range(3)]
    terminals.redeem_ticket(person, tickets[0], **SIZE)
    Terminal.objects.filter(ticket_digest=terminals.digest(tickets[1])).update(
        ticket_expires=timezone.now() - timedelta(seconds=1)
    )

    async def scene() -> None:
        for user, ticket in ((person, tickets[0]), (person, tickets[1]), (other, tickets[2]),
                             (person, ""), (person, "none")):  # fmt: skip
            listener = await listen(user)
            await listener.says({"type": "open", "ticket": ticket} | SIZE)
            assert await listener.closes() == 4403

    played(scene)
    assert Terminal.objects.filter(state="open").count() == 1


def test_many_tickets_open_no_more_terminals_than_a_device_may_have(
    person: User, offer: Any
) -> None:
    tickets = [offer().json()["ticket"] for _ in range(terminals.MOST_OF_A_DEVICE + 1)]
    for ticket in tickets[:-1]:
        terminals.redeem_ticket(person, ticket, **SIZE)
    with pytest.raises(Conflict, match="Close one first"):
        terminals.redeem_ticket(person, tickets[-1], **SIZE)


@pytest.mark.parametrize(
    ("role", "status"), [("viewer", 403), ("operator", 403), ("org_admin", 201)]
)
def test_opening_is_a_permission_of_its_own(
    organization: Organization, offer: Any, role: str, status: int
) -> None:
    assert offer(factories.user(organization, role)).status_code == status


def test_a_stranger_knows_neither_the_device_nor_its_terminals(
    api: Any, offer: Any, device: Device
) -> None:
    stranger = factories.user(factories.organization())
    assert offer(stranger).status_code == 400
    row = offer().json()["id"]
    for path in ("", "recording/"):
        answer = api(stranger).get(f"/api/v1/controller/terminal/{row}/{path}")
        assert answer.status_code == 404
    assert api(stranger).get("/api/v1/controller/terminal/").json()["count"] == 0


def test_a_page_of_another_origin_gets_no_socket(person: User) -> None:
    async def scene() -> None:
        listener = Listener(SOCKET, origin="https://evil.example", cookie="sessionid=abc")
        assert await listener.connect() == 4403

    played(scene)


def test_a_reason_is_asked_for_and_terminals_are_few(
    person: User, offer: Any, device: Device
) -> None:
    assert offer(reason=" ").status_code == 400
    for _ in range(terminals.MOST_OF_A_DEVICE):
        terminals.redeem_ticket(person, offer().json()["ticket"], **SIZE)
    assert offer().status_code == 409
    # Terminals of a dead process are closed.
    Terminal.objects.update(last_seen=timezone.now() - timedelta(minutes=5))
    assert offer().status_code == 201


def test_it_ends_when_somebody_closes_it_or_the_right_to_it_is_gone(
    api: Any, person: User, offer: Any
) -> None:
    ticket = offer().json()["ticket"]
    row = terminals.redeem_ticket(person, ticket, **SIZE)
    assert terminals.why_end(row.pk) == ""
    Membership.objects.filter(user=person).update(role="viewer")
    assert "no longer have permission" in terminals.why_end(row.pk)
    Membership.objects.filter(user=person).update(role="org_admin")
    url = f"/api/v1/controller/terminal/{row.pk}/close/"
    assert api(person).post(url).status_code == 204
    assert terminals.why_end(row.pk) == "An administrator closed it."


def test_an_idle_terminal_closes_by_itself(person: User, offer: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(terminal_session, "LOOK_SECONDS", 0.05)
    row = terminals.redeem_ticket(person, offer().json()["ticket"], **SIZE)

    async def scene() -> None:
        async def show(data: bytes) -> None:
            """Discard the output."""

        assert await Session(row, idle=0.2).run(show) == ("Nothing was typed for too long.")

    played(scene)
    row.refresh_from_db()
    assert row.state == "closed"


def test_another_host_key_is_told_and_nothing_is_opened(
    person: User, device: Device, offer: Any
) -> None:
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIa8RQkD9s4Z5f0m3bXh4V6n4mB3mJm2P0m9dVnN3Zk0"
    device.connections.update(host_key=key)
    ticket = offer().json()["ticket"]

    async def scene() -> None:
        listener = await listen(person)
        await listener.says({"type": "open", "ticket": ticket} | SIZE)
        said = await listener.hears()
        assert said["type"] == "closed"
        assert "host key" in said["message"]
        await listener.closes()

    played(scene)
    assert not TerminalPart.objects.exists()


def test_links_of_the_time_when_terminals_belonged_to_supervisors_still_lead_there(
    client: Any, device: Device
) -> None:
    answer = client.get(f"/admin/supervisor_proxy/terminal/on/{device.pk}/?x=1")
    assert answer.status_code == 302
    assert answer["Location"] == f"/admin/connections/terminal/on/{device.pk}/?x=1"
