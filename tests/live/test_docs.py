"""The commands in README.md and docs/ work as printed against the running portal.

Each page is one bash session in a folder like the repository's. Pages of docs/ start logged
in by docs/index.md. A block of `sh` is run unless a comment above it says why not; the
block of `text` after it is the expected output, with … for variable parts.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fleet.namespaces import why_not
from tests.fleet.overlay import NEEDED
from tests.live.conftest import ROOT, Portal, eventually

pytestmark = [pytest.mark.live, pytest.mark.once]
BLOCK = re.compile(
    r"(?:^<!-- (?P<remark>.+?) -->\n)?^```sh\n(?P<code>.*?)^```\n(?:\n```text\n(?P<says>.*?)^```)?",
    re.MULTILINE | re.DOTALL,
)
NOT_RUN, NEEDS_SPACES = "not run here: ", "runs where the demo can make network namespaces"
SECONDS = 300
BETWEEN = "\x1e"
# An HTTP error fails its command and is printed.
FAILING = 'curl() { command curl --show-error --fail-with-body "$@"; }\n'


@dataclass(frozen=True)
class Block:
    code: str
    says: str | None
    remark: str

    @property
    def runs(self) -> bool:
        assert not self.remark or self.remark.startswith((NOT_RUN, NEEDS_SPACES)), self.remark
        return not self.remark or (self.remark == NEEDS_SPACES and not why_not(*NEEDED))

    def fits(self, output: str) -> bool:
        """Return whether the output is as expected, ignoring whitespace."""
        if self.says is None:
            return True
        expected = re.escape(" ".join(self.says.split())).replace("…", ".*").replace(r"\ ", " ")
        # "…" also matches nothing.
        expected = expected.replace(".* ", "(?:.* )?").replace(" .*", "(?: .*)?")
        return bool(re.fullmatch(expected, " ".join(output.split())))


def blocks(page: str) -> list[Block]:
    return [
        Block(found["code"], found["says"], found["remark"] or "")
        for found in BLOCK.finditer((ROOT / page).read_text())
    ]


PAGES = [
    page
    for page in ["README.md", *sorted(f"docs/{one.name}" for one in ROOT.glob("docs/*.md"))]
    if any(not one.remark.startswith(NOT_RUN) for one in blocks(page))
]


@pytest.fixture
def folder(applied: Portal, tmp_path: Path) -> Path:
    """Create a folder like the repository, with the portal's data."""
    # Earlier pages may have rebooted the device.
    eventually("the demo's supervisor answers", lambda: supervisor_answers(applied))
    for name in ("manage.py", ".venv", "agents", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "var").symlink_to(applied.folder)
    return tmp_path


def supervisor_answers(portal: Portal) -> bool:
    (row,) = portal.api.get("supervisor/?app_id=42").json()["results"]
    body = {"deviceId": row["id"], "appId": 42, "method": "GET"}
    return portal.api.post(f"{portal.url}/supervisor/v1/device", json=body).is_success


@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_do_what_it_says(
    applied: Portal, folder: Path, page: str
) -> None:
    first = [] if page in {"README.md", "docs/index.md"} else blocks("docs/index.md")
    run = [one for one in [*first, *blocks(page)] if one.runs]
    script = f"printf '{BETWEEN}'\n".join(one.code for one in run)
    script = script.replace("http://127.0.0.1:8000", applied.url)
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", FAILING + script],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        timeout=SECONDS, env=environment(applied, folder),
    )  # fmt: skip
    outputs = done.stdout.split(BETWEEN)
    for block, output in zip(run, outputs, strict=False):
        assert block.fits(output), f"{block.code}\nwas to say\n{block.says}\nand said\n{output}"
    assert done.returncode == 0, f"{run[len(outputs) - 1].code}\nended with {done.stdout}"
    assert len(outputs) == len(run)


def environment(portal: Portal, folder: Path) -> dict[str, str]:
    """Return the environment of a user's shell on the portal's machine."""
    kept = {name: portal.environment[name] for name in ("MUSTER_DATA_DIR", "DATABASE_URL")}
    path = f"{ROOT / '.venv/bin'}:{os.environ['PATH']}"
    return kept | {"PASSWORD": portal.password, "PATH": path, "HOME": str(folder)}
