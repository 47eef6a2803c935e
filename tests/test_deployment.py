"""The files of deploy/, checked without their target systems."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.test import Client

from controller.base import deploy_checks
from controller.base.management.commands.settings_reference import reference
from tests.programs import works

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
# Variables of the images, of Python, and of the compose file itself.
OTHERS = {"PATH", "PYTHONUNBUFFERED", "POSTGRES_USER", "POSTGRES_DB", "POSTGRES_PASSWORD", "MUSTER_HOST"}  # fmt: skip


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes/muster.yaml").read_text()))


def test_every_variable_that_is_set_is_one_that_is_read() -> None:
    known = set(re.findall(r"^\| `(\w+)`", reference(), re.MULTILINE)) | OTHERS
    text = "\n".join(
        path.read_text() for path in [ROOT / "Dockerfile", *DEPLOY.rglob("*")] if path.is_file()
    )
    named = set(re.findall(r"\b([A-Z][A-Z_]{3,})[=:] ?", text)) | set(
        re.findall(r"\b(MUSTER_\w+)", text)
    )
    named -= {"CMD", "ENV", "FROM", "HEALTHCHECK"}
    assert named
    assert named <= known


def queues(words: list[str]) -> list[str]:
    return words[words.index("--queues") + 1].split(",")


def test_each_way_to_run_it_works_on_every_queue() -> None:
    wanted = sorted(one.name for one in settings.CELERY_TASK_QUEUES)
    commands = [one["command"] for one in compose()["services"].values() if "command" in one]
    by_compose = [name for one in commands if "--queues" in one for name in queues(one)]
    containers = [
        one["spec"]["template"]["spec"]["containers"][0]
        for one in manifests()
        if one["kind"] == "Deployment"
    ]
    by_kubernetes = [
        name
        for one in containers
        if "--queues" in one.get("command", [])
        for name in queues(one["command"])
    ]
    assert sorted(by_compose) == sorted(by_kubernetes) == wanted


@pytest.mark.skipif(
    not works("systemd-analyze", "--version"), reason="systemd is not installed"
)
@pytest.mark.parametrize("name", ["muster-web", "muster-worker@", "muster-beat"])
def test_systemd_reads_the_units(tmp_path: Path, name: str) -> None:
    # Its check requires the programs to exist; here they are elsewhere.
    text = (DEPLOY / f"systemd/{name}.service").read_text().replace("/opt/muster", str(ROOT))
    unit = tmp_path / f"{name}.service"
    unit.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert [line for line in done.stderr.splitlines() if unit.name in line] == []


def test_a_dashboard_shows_what_is_measured(admin_client: Client) -> None:
    text = (DEPLOY / "grafana/muster.json").read_text()
    expressions = [one["targets"][0]["expr"] for one in json.loads(text)["panels"]]
    shown = {re.sub("_(bucket|count)$", "", name) for one in expressions for name in re.findall(r"muster_\w+", one)}  # fmt: skip
    admin_client.get("/health")
    told = admin_client.get("/metrics").content.decode()
    measured = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))
    assert shown == {name for name in measured if name.startswith("muster_")}


def test_alerts_are_about_what_is_measured(admin_client: Client) -> None:
    text = (DEPLOY / "prometheus/muster.rules.yml").read_text()
    rules = yaml.safe_load(text)["groups"][0]["rules"]
    asked = {name for rule in rules for name in re.findall(r"muster_\w+", rule["expr"])}
    admin_client.get("/health")
    told = admin_client.get("/metrics").content.decode()
    measured = set(re.findall(r"^# TYPE (\w+)", told, re.MULTILINE))
    assert {re.sub("_count$", "", name) for name in asked} <= measured
    assert {rule["labels"]["severity"] for rule in rules} == {"critical", "warning"}


@pytest.mark.skipif(not works("promtool", "--version"), reason="promtool is not installed")
def test_alerts_fire_when_they_should() -> None:
    done = subprocess.run(
        ["promtool", "test", "rules", "muster.test.yml"],
        cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not works("promtool", "--version"), reason="promtool is not installed")
def test_prometheus_understands_the_metrics_and_what_the_dashboard_asks(
    admin_client: Client, tmp_path: Path
) -> None:
    panels = json.loads((DEPLOY / "grafana/muster.json").read_text())["panels"]
    expressions = [one["expr"] for panel in panels for one in panel["targets"]]
    rules = [{"record": f"panel:{at}", "expr": one} for at, one in enumerate(expressions)]
    path = tmp_path / "rules.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(
        ["promtool", "check", "rules", path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=admin_client.get("/metrics").content,
        capture_output=True, check=False,
    )  # fmt: skip
    # 3: what it would name otherwise.
    assert checked.returncode in {0, 3}, checked.stderr.decode()
    assert b"error" not in checked.stderr


def test_probes_are_answered_without_tls(client: Client, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    assert client.get("/health/live").status_code == 200
    assert client.get("/api/v1/controller/device/").status_code == 301


@pytest.mark.parametrize(
    ("name", "value", "warning"),
    [
        ("MUSTER_ENCRYPTION_KEYS", ["a" * 40], "muster.W001"),
        ("MUSTER_ENCRYPTION_KEYS", ["short"], "muster.W001"),
        ("ALLOWED_HOSTS", ["*"], "muster.W002"),
        ("TRUSTED_PROXIES", ["*"], "muster.W003"),
        ("TRUSTED_PROXIES", ["0.0.0.0/0"], "muster.W003"),
    ],
)
def test_settings_that_are_not_safe_are_warned_of(
    settings: Any, name: str, value: Any, warning: str
) -> None:
    settings.ALLOWED_HOSTS = ["muster.example.org"]
    settings.MUSTER_ENCRYPTION_KEYS = ["an-encryption-key-for-checks"]
    assert deploy_checks.check_settings(None) == []
    setattr(settings, name, value)
    assert [one.id for one in deploy_checks.check_settings(None)] == [warning]


def test_nobody_but_a_trusted_proxy_says_that_a_request_came_by_https(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT = True
    claims = Client().get("/admin/login/", headers={"X-Forwarded-Proto": "https"})
    assert claims.status_code == 301
