"""Benchmark of issuing certificates: ``python -m benchmarks.pki [count]``.

Two clients post to /api/v1/controller/cert/, served by two web workers and PostGIS on the
same machine, as OpenWISP Controller 1.3.2 was measured (12.2 and 24.8 per second on 2 idle
cores). Generating the RSA key dominates in both systems, so a key alone is measured for
comparison.
"""

from __future__ import annotations

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from typing import Any

from benchmarks.stage import Stage, stage

CLIENTS = 2
ORIGINAL = {"2048": 12.22, "256": 24.77}
KEYS = 20


def seed() -> tuple[int, str, str]:
    from controller.accounts.models import Organization, User
    from controller.accounts.rules import issue_token
    from pki.rules import create_ca

    organization = Organization.objects.create(name="bench", slug="bench")
    ca = create_ca(name="bench", organization=organization, key_length="2048")
    admin = User.objects.create_superuser("admin", "admin@example.org", "a good password")
    return ca.pk, str(organization.pk), issue_token(admin, name="benchmark")


def post(port: int, token: str, bodies: list[dict[str, Any]]) -> list[float]:
    """Return the milliseconds of each request."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    taken = []
    for body in bodies:
        start = time.perf_counter()
        connection.request("POST", "/api/v1/controller/cert/", json.dumps(body), headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 201, content
        taken.append(1000 * (time.perf_counter() - start))
    connection.close()
    return taken


def measure(made: Stage, kind: str, count: int, seeded: tuple[int, str, str]) -> None:
    ca, organization, token = seeded
    bodies = [
        {"name": f"{kind}-{number}", "ca": ca, "organization": organization,
         "key_length": kind, "digest": "sha256", "common_name": f"{kind}-{number}"}
        for number in range(count)
    ]  # fmt: skip
    before, start = made.cpu("web"), time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as clients:
        shares = [bodies[at::CLIENTS] for at in range(CLIENTS)]
        taken = sorted(
            one
            for share in clients.map(lambda share: post(made.port, token, share), shares)
            for one in share
        )
    seconds = time.perf_counter() - start
    cpu = 1000 * (made.cpu("web") - before) / count
    print(
        f"{kind:>8}{count / seconds:>12.1f}{ORIGINAL[kind]:>10.1f}"
        f"{count / seconds / ORIGINAL[kind]:>8.1f}{taken[count // 2]:>10.1f}"
        f"{taken[int(count * 0.99)]:>10.1f}{cpu:>10.1f}{key_milliseconds(kind):>12.1f}"
    )


def key_milliseconds(kind: str) -> float:
    from pki.engine.keys import generate

    start = time.process_time()
    for _ in range(KEYS):
        generate(kind)
    return 1000 * (time.process_time() - start) / KEYS


def main(count: int) -> None:
    import django
    from django.core.management import call_command

    with stage() as made:
        django.setup()
        call_command("migrate", verbosity=0)
        seeded = seed()
        made.start_web()
        post(made.port, seeded[2], [{"name": f"warm-{n}", "ca": seeded[0], "key_length": "256",
                                     "organization": seeded[1]} for n in range(20)])  # fmt: skip
        print(
            f"{'key':>8}{'per second':>12}{'original':>10}{'ratio':>8}{'p50 ms':>10}"
            f"{'p99 ms':>10}{'CPU ms':>10}{'key alone':>12}"
        )
        for kind in ORIGINAL:
            measure(made, kind, count, seeded)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
