"""The script for build pipelines in docs/firmware.md, run twice against a running portal."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from controller.accounts.models import Organization
from controller.accounts.rules import issue_token
from controller.firmware.models import Image
from tests import factories
from tests.firmware.images import image
from tests.programs import works

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not works("jq", "--version"), reason="needs jq"),
]
PAGE = Path(__file__).parents[2] / "docs/firmware.md"


def test_the_script_of_the_docs_uploads_images_once(
    live_server: Any, organization: Organization, tmp_path: Path
) -> None:
    script = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)[-1]
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/x-sysupgrade.bin").write_bytes(image())
    token = issue_token(factories.user(organization, "admin"), name="pipeline")
    values = {
        "api": f"{live_server.url}/api/v1", "auth": f"Authorization: Bearer {token}",
        "json": "Content-Type: application/json", "organization": str(organization.pk),
        "version": "24.10.2",
    }  # fmt: skip
    said = [
        subprocess.run(
            ["bash", "-eu", "-c", script], cwd=tmp_path, env={"PATH": "/usr/bin:/bin", **values},
            capture_output=True, text=True, check=True, timeout=60,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert said[0] == said[1] == f"{Image.objects.get().pk}\n"
