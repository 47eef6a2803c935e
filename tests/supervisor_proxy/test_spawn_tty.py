"""A terminal asked for through balena's API, of a device that has none itself."""

from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.connections.rules import terminals
from tests import factories
from tests.fleet.balena import BalenaSupervisor

pytestmark = pytest.mark.django_db


def test_spawn_tty_is_the_portals_own_terminal_on_devices_without_one(
    api: Any, organization: Organization, run: Any
) -> None:
    person = factories.user(organization, "org_admin")
    device = factories.device(organization, management_ip="127.0.0.1")
    factories.connection(device, factories.credentials(organization))
    balena: BalenaSupervisor = run("19.0.5")
    row = factories.supervisor(balena, device.organization, device=device)
    body = {"deviceId": row.pk, "appId": 42, "data": {"appId": 42}}
    answer = api(person).post("/supervisor/v1/spawn-tty", body)
    assert answer.status_code == 200
    assert answer["X-Supervisor-Proxy"] == "portal"
    assert answer.content.decode().endswith(f"/terminal/on/{device.pk}/")
    _, ticket = terminals.create_ticket(person, device, reason="to look")
    opened = terminals.redeem_ticket(person, ticket, columns=80, rows=24)
    assert api(person).post("/supervisor/v1/despawn-tty", body).content == b"OK"
    assert terminals.why_end(opened.pk)
    operator = factories.user(device.organization, "operator")
    assert api(operator).post("/supervisor/v1/spawn-tty", body).status_code == 403
    assert not balena.requests
