"""balena's documented requests "remotely via the API proxy", as printed, by curl.

Only the address, the token and the numbers are replaced.
"""

import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from supervisor_proxy.models import Supervisor
from tests import factories
from tests.fleet.balena import BalenaSupervisor
from tests.programs import works

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not works("curl", "--version"), reason="needs curl"),
]

HEADERS = """--header "Content-Type:application/json" \\
--header "Authorization: Bearer <auth token>" \\
"""
WITH_DATA = """'{"deviceId": <deviceId>, "appId": <appId>, "data": {"appId": <appId>}}'"""
PLAIN = """'{"deviceId": <deviceId>, "appId": <appId>}'"""


def printed(data: str, path: str) -> str:
    return f'curl -X POST {HEADERS}--data {data} \\\n"https://api.resin.io/supervisor/{path}"'


PING = printed("""'{"deviceId": <deviceId>, "appId": <appId>, "method": "GET"}'""", "ping")
BLINK = printed(PLAIN, "v1/blink")
# With the superfluous quotation mark of the documentation.
UPDATE = printed(
    """'{"deviceId": <deviceId>, "appId": <appId>, "data": {"force": true}}"'""", "v1/update"
)
SPAWN_TTY = printed(WITH_DATA, "v1/spawn-tty")
DESPAWN_TTY = printed(WITH_DATA, "v1/despawn-tty")
REBOOT = printed(PLAIN, "v1/reboot")
SHUTDOWN = printed(PLAIN, "v1/shutdown")
PURGE = printed(WITH_DATA, "v1/purge")
RESTART = printed(WITH_DATA, "v1/restart")
TCP_PING = printed(PLAIN, "v1/tcp-ping")
NO_TCP_PING = printed(
    """'{"deviceId": <deviceId>, "appId": <appId>, "method": "DELETE"}'""", "v1/tcp-ping"
)
REGENERATE = printed(PLAIN, "v1/regenerate-api-key")
GO = '{"Data":"OK","Error":""}'

# Answers of 1.5.0 through the portal: the documented texts or, where the documentation says
# "204 with a body" or "empty", what the supervisor actually sends.
OF_2016 = [
    (PING, 200, "OK", ("GET", "/ping")),
    (BLINK, 200, "OK", ("POST", "/v1/blink")),
    (UPDATE, 204, "", ("POST", "/v1/update")),
    (SPAWN_TTY, 200, "http://124135325.ngrok.com", ("POST", "/v1/spawn-tty")),
    (DESPAWN_TTY, 200, "OK", ("POST", "/v1/despawn-tty")),
    (REBOOT, 202, GO, ("POST", "/v1/reboot")),
    (SHUTDOWN, 202, GO, ("POST", "/v1/shutdown")),
    (PURGE, 200, GO, ("POST", "/v1/purge")),
    (RESTART, 200, "OK", ("POST", "/v1/restart")),
    (TCP_PING, 204, "", ("POST", "/v1/tcp-ping")),
    (NO_TCP_PING, 204, "", ("DELETE", "/v1/tcp-ping")),
]
OF_TODAY = [
    (PING, 200, "OK", ("GET", "/ping")),
    (BLINK, 200, "OK", ("POST", "/v1/blink")),
    (UPDATE, 204, "", ("POST", "/v1/update")),
    (REBOOT, 202, '{"Data":"OK","Error":null}', ("POST", "/v1/reboot")),
    (SHUTDOWN, 202, '{"Data":"OK","Error":null}', ("POST", "/v1/shutdown")),
    (PURGE, 200, GO, ("POST", "/v1/purge")),
    (RESTART, 200, "OK", ("POST", "/v1/restart")),
]


@pytest.fixture
def curl(live_server: Any, admin: User) -> Callable[..., tuple[int, str]]:
    token = issue_token(admin, name="curl")

    def curl(command: str, row: Supervisor) -> tuple[int, str]:
        words = {
            "https://api.resin.io": live_server.url,
            "<auth token>": token,
            "<deviceId>": str(row.pk),
            "<appId>": str(row.app_id),
            "curl ": "curl -s -w '\\n%{http_code}' ",
        }
        for name, value in words.items():
            command = command.replace(name, value)
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        body, status = done.stdout.rsplit("\n", 1)
        return int(status), body

    return curl


@pytest.mark.parametrize(
    ("version", "exchanges"), [("1.5.0", OF_2016), ("19.0.5", OF_TODAY)], ids=["2016", "today"]
)
def test_every_printed_request_is_answered_by_the_device(
    curl: Any, run: Any, organization: Organization, version: str, exchanges: Any
) -> None:
    device: BalenaSupervisor = run(version)
    row = factories.supervisor(device, organization)
    for command, status, text, called in exchanges:
        assert curl(command, row) == (status, text), command
        assert device.paths[-1] == called
    status, key = curl(REGENERATE, row)
    assert (status, key) == (200, device.key)
    # The portal has stored the new key.
    assert curl(BLINK, row) == (200, "OK")
