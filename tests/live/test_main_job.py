"""Delivery of configurations to real devices despite failures on the way."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests import factories
from tests.live.conftest import Portal, eventually

pytestmark = pytest.mark.live


def presence(portal: Portal, number: int) -> str:
    return portal.shell(
        "from controller.devices.models import Presence\n"
        f"print(Presence.objects.get(device={portal.devices()[number]['id']!r}).state)"
    ).strip()


def processes(portal: Portal, *words: str) -> list[int]:
    """Return the pids of portal processes with these words in their command line."""
    found = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = command.read_bytes().replace(b"\0", b" ").decode()
            environment = (command.parent / "environ").read_bytes().decode()
        except OSError:
            continue
        if f"MUSTER_DATA_DIR={portal.folder}" in environment and all(w in line for w in words):
            found.append(int(command.parent.name))
    return found


def test_the_demo_devices_become_applied_by_themselves(applied: Portal) -> None:
    contents = applied.template("Welcome")["config"]["files"][0]["contents"]
    for number, (name, site, contact) in enumerate(
        [
            ("lisbon-gateway", "Lisbon", "branches@example.org"),
            ("oslo-gateway", "Oslo", "noc@example.org"),
        ]
    ):
        variables = {"{{ name }}": name, "{{ site }}": site, "{{ contact }}": contact}
        expected = contents
        for variable, value in variables.items():
            expected = expected.replace(variable, value)
        eventually(
            f"{name} has its own words",
            lambda at=number, text=expected: applied.file(at, "etc/motd").read_text() == text,
        )
    eventually("the devices are seen online", lambda: presence(applied, 0) == "online")


def test_a_changed_template_reaches_the_devices_files(applied: Portal) -> None:
    template = applied.template("Welcome")
    answer = applied.api.patch(
        f"template/{template['id']}/",
        json={"config": factories.a_file("changed for {{ name }}\n")},
    )
    assert answer.status_code == 200, answer.text
    eventually(
        "the file on each device is the new one",
        lambda: all(
            "changed" in applied.file(number, "etc/motd").read_text() for number in range(5)
        ),
    )
    eventually("the portal shows it applied", applied.all_applied)


def test_a_device_that_was_away_gets_its_configuration_when_it_is_back(
    applied: Portal,
) -> None:
    applied.device(1).stop()
    eventually("the device is offline", lambda: presence(applied, 1) == "offline")
    applied.patch(1, factories.a_file("written while away\n", "etc/away"))
    assert applied.statuses()[1] == "modified"
    applied.device(1).start()
    eventually("the file arrives", applied.file(1, "etc/away").exists)
    eventually("the portal shows it applied", applied.all_applied)


def test_a_device_that_cuts_itself_off_restores_its_files_and_the_portal_says_why(
    applied: Portal,
) -> None:
    device = applied.device(2)
    before = applied.file(2, "etc/motd").read_text()
    pid_file = device.folder / "sshd.pid"
    applied.patch(
        2,
        {
            "files": [
                {"path": "etc/motd", "mode": "0644", "contents": "cut off\n"},
                {
                    "path": "etc/muster/reload.d/90-cut-off",
                    "mode": "0755",
                    "contents": f'#!/bin/sh\nkill -9 "$(cat {pid_file})"\n',
                },
            ]
        },
    )
    motd = applied.file(2, "etc/motd")
    eventually("the configuration is tried", lambda: motd.read_text() == "cut off\n")
    eventually("the device restores itself", lambda: motd.read_text() == before)
    device.stop()
    device.start()
    eventually("the portal shows an error", lambda: applied.statuses()[2] == "error")
    reason = applied.detail(2)["config"]["error_reason"]
    assert "confirm" in reason, reason
    applied.patch(2, {})
    eventually("a better configuration is applied", applied.all_applied)


def test_a_worker_that_is_killed_leaves_nothing_undone_and_nothing_done_twice_at_once(
    applied: Portal,
) -> None:
    slow = (
        '#!/bin/sh\nlog="${MUSTER_ROOT:-}/var/log/slow"\nmkdir -p "${log%/*}"\n'
        'echo begin >>"$log"\nsleep 3\necho end >>"$log"\n'
    )
    for number in range(5):
        applied.patch(
            number,
            {
                "files": [
                    {"path": "etc/revision", "mode": "0644", "contents": "after the kill\n"},
                    {
                        "path": "etc/muster/reload.d/50-slow",
                        "mode": "0755",
                        "contents": slow,
                    },
                ]
            },
        )
    logs = [applied.file(number, "var/log/slow") for number in range(5)]
    eventually("a push is under way", lambda: any(log.exists() for log in logs))
    for pid in processes(applied, "celery", "worker"):
        os.kill(pid, signal.SIGKILL)
    eventually("every device ends applied", applied.all_applied, seconds=90)
    for number, log in enumerate(logs):
        assert applied.file(number, "etc/revision").read_text() == "after the kill\n"
        assert re.fullmatch(r"(begin\nend\n)+", log.read_text()), "two ran at once"


def test_an_agents_poll_is_answered_before_django_is_entered(applied: Portal) -> None:
    device = applied.detail(0)
    url = f"{applied.url}/controller/checksum/{device['id'].replace('-', '')}/"
    first = applied.api.get(url, params={"key": device["key"]})
    again = applied.api.get(url, params={"key": device["key"]})
    assert first.text == again.text
    assert len(again.text) == 32
    assert again.headers["x-openwisp-controller"] == "true"
    assert "x-frame-options" not in again.headers, "Django's middleware was not needed"
    assert applied.api.get(url, params={"key": "wrong"}).status_code == 403
    applied.patch(0, factories.a_file("another checksum\n", "etc/other"))
    assert applied.api.get(url, params={"key": device["key"]}).text != first.text
    eventually("the portal shows it applied", applied.all_applied)
    eventually("the poll counts as seen", lambda: applied.detail(0)["last_ip"] == "127.0.0.1")
