"""Benchmark of gateway changes: ``python -m benchmarks.changes``.

Each figure is shown next to that of FreeSDN on a machine of the same kind (2 cores, 2
workers). FreeSDN only stores what it is sent; here a payload is validated against its
schema, and for a change of an existing object the gateway (a stand-in on loopback) is read
as well.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from benchmarks.stage import Stage, stage, wrk

ROWS = 200
APPLIED = 100
CLIENTS = 8
# The better of its two runs.
ORIGINAL = {
    "stage, 1 client": 17.0, "stage, 8 clients": 30.0, "by-gateway list, 200 rows": 22.0,
}  # fmt: skip


def seed(url: str) -> tuple[Any, str]:
    """Create a gateway with pending changes. Returns it with an access token."""
    from controller.accounts.models import Membership, Organization, User
    from controller.accounts.rules import sessions
    from networks.gateways.engine.features import FEATURES
    from networks.gateways.rules import changes
    from networks.gateways.rules.gateways import create_gateway

    organization = Organization.objects.create(name="bench", slug="bench")
    user = User.objects.create_user("bench", "bench@example.org", "a good password")
    Membership.objects.create(user=user, organization=organization, role="org_admin")
    gateway, full = (
        create_gateway(
            organization=organization, name=name, url=url, key="key-of-the-portal",
            secret="secret-of-the-portal",
        )
        for name in ("staged", "listed")
    )  # fmt: skip
    for number in range(ROWS):
        changes.stage(
            full, feature=FEATURES["opnsense.routing.static_route"], operation="create",
            payload=route(number), by=user, notes="Measured",
        )  # fmt: skip
    return (gateway, full), sessions.open_session(user).access


def route(number: int) -> dict[str, str]:
    return {"network": f"10.{number % 250}.0.0/16", "gateway": "WAN_GW"}


def script(token: str, body: Any = None) -> str:
    lines = [f'wrk.headers["Authorization"] = "Bearer {token}"']
    if body is not None:
        lines += [
            'wrk.method = "POST"', 'wrk.headers["Content-Type"] = "application/json"',
            f"wrk.body = '{json.dumps(body)}'",
        ]  # fmt: skip
    return "\n".join(lines) + "\n"


def measured(on: Stage, url: str, text: str, connections: int) -> tuple[float, float]:
    """Return requests per second and the web server's CPU milliseconds per request."""
    wrk(url, connections=connections, seconds=1, script=text)
    before = on.cpu("web")
    found = wrk(url, connections=connections, script=text)
    assert not found["bad"], found
    return found["per_second"], (on.cpu("web") - before) / found["requests"] * 1000


def applied(on: Stage, token: str, paths: list[str]) -> float:
    """Return the number of changes applied per second, from request to final response."""
    headers = {"Authorization": f"Bearer {token}"}

    def apply(path: str) -> str:
        with httpx.Client(headers=headers, timeout=60) as http:
            answer = http.post(f"{on.url}{path}", json={"force": True})
        return str(answer.json().get("status", answer.text))

    began = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as pool:
        told = list(pool.map(apply, paths))
    seconds = time.monotonic() - began
    assert set(told) == {"applied"}, set(told)
    return len(told) / seconds


def measure(on: Stage, device: Any) -> dict[str, tuple[float, float]]:
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    (gateway, full), token = seed(device.url)
    on.start_web()
    on.start_worker(CLIENTS // 2)
    base = f"{on.url}/api/v1/gateway-opnsense-routing/{gateway.pk}/changes"
    create = f"{base}/opnsense.routing.static_route?operation=create"
    update = f"{base}/opnsense.routing.static_route?operation=update"
    listed = (
        f"{on.url}/api/v1/gateway-vpn/changes/by-gateway/{full.pk}?status=pending&limit=500"
    )
    target = device.put("routes/routes", network="10.9.0.0/16", gateway="WAN_GW")
    body = {"payload": route(1), "notes": "Measured"}
    changed = {"payload": {"gateway": "LTE_GW"}, "target_id": target}
    found = {
        "stage, 1 client": measured(on, create, script(token, body), 1),
        "stage, 8 clients": measured(on, create, script(token, body), CLIENTS),
        "the same, gateway read": measured(on, update, script(token, changed), CLIENTS),
        "by-gateway list, 200 rows": measured(on, listed, script(token), CLIENTS),
    }
    ids = [one.pk for one in full.changes.all()[:APPLIED]]
    before = on.cpu("web") + on.cpu("worker")
    paths = [f"/api/v1/gateway-vpn/changes/{pk}/apply" for pk in ids]
    rate = applied(on, token, paths)
    spent = (on.cpu("web") + on.cpu("worker") - before) / len(paths) * 1000
    return found | {"applied and read back": (rate, spent)}


def main() -> None:
    from tests.fleet.opnsense import opnsense

    os.environ |= {
        "ADAPTER_READ_ONLY": "0", "MUSTER_LOCAL_GATEWAYS": "1",
        "MUSTER_PENDING_CHANGES": "1000000",
    }  # fmt: skip
    with stage() as on, opnsense() as device:
        found = measure(on, device)
    print(f"{'':28}{'a second':>10}{'original':>10}{'ratio':>8}{'CPU ms':>8}")
    for name, (rate, spent) in found.items():
        known = ORIGINAL.get(name)
        beside = f"{known:10.1f}{rate / known:7.1f}x" if known else " " * 18
        print(f"{name:28}{rate:10.1f}{beside}{spent:8.1f}")


if __name__ == "__main__":
    main()
