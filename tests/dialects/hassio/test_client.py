"""The unmodified aiohasupervisor reads every log; its other calls are in tests/live."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import User
from controller.accounts.rules import issue_token
from tests import clients

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]
# Parts of a system that have no log of their own in any supervisor.
WITHOUT = ("cli", "observer")


def test_every_log_is_read_in_every_way(
    home: Callable[..., Any], live_server: Any, admin: User
) -> None:
    _, row = home()
    url = f"{live_server.url}/api/v1/controller/device/{row.device_id}/hassio"
    command = [clients.python("aiohasupervisor"), Path(__file__).with_name("client.py"), url,
               issue_token(admin, name="client"), "logs"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    lacking = {name: found.pop(name) for name in [*found] if name.startswith(WITHOUT)}
    assert {one.partition(":")[0] for one in lacking.values()} == {"SupervisorNotFoundError"}
    assert found.pop("boots") == f"ok {{0: {'ab' * 16!r}}}"
    assert found.pop("identifiers") == "ok ['kernel']"
    for name, said in found.items():
        followed, part = "follow" in name, name.endswith("part")
        expected = (
            "one|two" if followed else "entries=:-9:10" if part else "09:00:00 INFO started"
        )
        assert said == f"ok {expected}", name
