"""Packages of the overlay client, for OpenWrt and for systemd."""

import shutil
import subprocess
from pathlib import Path

import pytest

AGENTS = Path(__file__).parents[2] / "agents"
OPENWRT = AGENTS / "openwrt/muster-join"
# Names that eval assigns; empty values; one word for each field.
BY_DESIGN = "SC2154,SC1007,SC2046"
SCRIPTS = [AGENTS / "muster-join", OPENWRT / "files/muster-overlay.init"]
# The names of OpenWrt's build system that the package uses.
RULES = """
INSTALL_DIR := install -d -m 755
INSTALL_BIN := install -m 755
INSTALL_DATA := install -m 644
define BuildPackage
install:
	$(call Package/$(1)/install,$(DESTDIR))
endef
"""


def run(*command: object, folder: Path | None = None) -> str:
    done = subprocess.run(
        [str(one) for one in command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def needs(program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"there is no {program}")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_openwrts_shell_takes_the_scripts(script: Path) -> None:
    needs("busybox")
    run("busybox", "ash", "-n", script)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_shellcheck_finds_nothing(script: Path) -> None:
    needs("shellcheck")
    run("shellcheck", "--shell=dash", "--severity=warning", f"--exclude={BY_DESIGN}", script)


def test_the_package_for_openwrt_installs_the_client_and_its_service(tmp_path: Path) -> None:
    needs("make")
    for name in ("rules.mk", "package.mk"):
        (tmp_path / name).write_text(RULES if name == "rules.mk" else "")
    target = tmp_path / "target"
    run("make", "-C", OPENWRT, "install", f"TOPDIR={tmp_path}", f"INCLUDE_DIR={tmp_path}",
        f"DESTDIR={target}")  # fmt: skip
    files = {str(one.relative_to(target)) for one in target.rglob("*") if one.is_file()}
    assert files == {
        "usr/bin/muster-join", "usr/share/muster-join/packaged", "etc/init.d/muster-overlay",
        "lib/upgrade/keep.d/muster-join",
    }  # fmt: skip
    assert (target / "usr/bin/muster-join").read_text() == SCRIPTS[0].read_text()
    kept = (target / "lib/upgrade/keep.d/muster-join").read_text().split()
    assert kept == ["/etc/muster/overlay/"]


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    needs("systemd-analyze")
    needs("make")
    run("make", "-C", AGENTS / "systemd", "install", f"DESTDIR={tmp_path}")
    units = sorted((tmp_path / "usr/lib/systemd/system").iterdir())
    assert [one.name for one in units] == [
        "muster-overlay-pull.service", "muster-overlay-pull.timer", "muster-overlay.service",
    ]  # fmt: skip
    run("systemd-analyze", "verify", "--man=no", *units)
