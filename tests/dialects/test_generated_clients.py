"""Clients generated from the OpenAPI document make a device, configure it and stage a change."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.accounts.models import Organization, User
from controller.accounts.rules import issue_token
from controller.devices.models import Device
from controller.dialects.openapi.views import render_document
from networks.gateways.models import Change
from tests import clients, factories
from tests.live.conftest import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.long, pytest.mark.once]
KEPT = 6
FLOWS = Path(clients.__file__).parent


def run(*command: Any, **environment: str) -> None:
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


@pytest.fixture
def generated() -> Path:
    """Return a folder for what is generated, kept until the document changes."""
    text = render_document()
    names = ("flow.py", "flow.ts")
    flows = b"".join((FLOWS / name).read_bytes() for name in names)
    key = sha256(text + flows).hexdigest()[:16]
    folder = clients.folder() / "generated" / key
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "openapi.json").write_bytes(text)
    (folder / "config.yml").write_text("post_hooks: []\n")
    for name in names:
        shutil.copy(FLOWS / name, folder)
    drop_old(folder.parent)
    return folder


def drop_old(parent: Path) -> None:
    """Remove all but the newest folders; another run on this machine may use one of those."""
    folders = sorted(parent.iterdir(), key=lambda one: one.stat().st_mtime)
    for folder in folders[:-KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


def python_command(folder: Path) -> tuple[list[Any], dict[str, str]]:
    python = clients.python("openapi_python_client")
    if not (folder / "generated-py").exists():
        run(
            python.with_name("openapi-python-client"), "generate", "--meta", "none",
            "--path", folder / "openapi.json", "--config", folder / "config.yml",
            "--output-path", folder / "generated-py/generated",
        )  # fmt: skip
    return [python, folder / "flow.py"], {"PYTHONPATH": str(folder / "generated-py")}


def node_command(folder: Path) -> tuple[list[Any], dict[str, str]]:
    node, modules = clients.node(), clients.folder() / "node_modules"
    if not (folder / "built").exists():
        run(
            node, modules / "@hey-api/openapi-ts/bin/run.js", "-i", folder / "openapi.json",
            "-o", folder / "generated", "-c", "@hey-api/client-fetch",
        )  # fmt: skip
        run(
            node, modules / "typescript/bin/tsc", "--strict", "--outDir", folder / "built",
            "--module", "commonjs", "--target", "es2022", "--lib", "es2022,dom,dom.iterable",
            "--types", "node", "--typeRoots", modules / "@types", folder / "flow.ts",
        )  # fmt: skip
    return [node, folder / "built/flow.js"], {}


@pytest.fixture
def act(live_server: Any, admin: User, organization: Organization) -> Iterator[Any]:
    """Run a program with the portal's address and rows; a device that it makes has an agent."""
    gateway = factories.gateway(organization)
    token = issue_token(admin, name="client")

    def act(command: list[Any], environment: dict[str, str]) -> dict[str, str]:
        program = subprocess.Popen(
            [*command, live_server.url, token, str(organization.pk), str(gateway.pk)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=os.environ | environment,
        )  # fmt: skip
        started.append(program)
        eventually(
            "the device has its template",
            lambda: (
                program.poll() is not None
                or Device.objects.filter(config__templates__isnull=False)
            ),
        )
        device = Device.objects.filter(name="generated").first()
        if device is not None:
            applies(live_server.url, device)
        out, err = program.communicate(timeout=120)
        assert program.returncode == 0, err[-3000:]
        found: dict[str, str] = json.loads(out)
        return found

    started: list[subprocess.Popen[str]] = []
    yield act
    for program in started:
        program.kill()
        program.wait()


def applies(portal: str, device: Device) -> None:
    """Do what the agent of a device does: fetch the configuration, and report it as applied."""
    key = {"key": device.key}
    archive = httpx.get(f"{portal}/controller/download-config/{device.pk.hex}/", params=key)
    assert archive.status_code == 200, archive.text
    told = httpx.post(
        f"{portal}/controller/report-status/{device.pk.hex}/", data=key | {"status": "applied"}
    )
    assert told.status_code == 200, told.text


@pytest.mark.parametrize("command", [python_command, node_command])
def test_a_generated_client_configures_a_device_and_stages_a_change(
    generated: Path, act: Any, command: Any
) -> None:
    assert act(*command(generated)) == {"status": "applied", "change": "pending"}
    change = Change.objects.get()
    assert (change.feature, change.operation) == ("opnsense.firewall.alias", "create")
