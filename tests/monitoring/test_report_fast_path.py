"""Reports that are taken before Django is entered, and an agent that sends again what failed."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from controller.devices.models import Device
from controller.dialects import report_fast_path
from controller.dialects.report_fast_path import ReportFastPath
from controller.monitoring.models import LatestSample, Sample
from controller.monitoring.rules import reports
from tests import factories
from tests.monitoring.test_ingest import NOON, body, time_of

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def device(organization: Any) -> Device:
    return factories.device(organization)


@pytest.fixture
def application() -> Any:
    made = ReportFastPath(django)
    yield made
    made.pool.submit(connections.close_all).result()
    made.pool.shutdown()


async def django(scope: Any, receive: Any, send: Any) -> None:
    """Stands where Django would, and tells that it was asked."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


async def ask(application: Any, path: str, content: bytes = b"", method: str = "POST") -> Any:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asked, _, query = path.partition("?")
    scope = {"type": "http", "method": method, "path": asked, "query_string": query.encode(),
             "client": ("192.0.2.7", 1), "headers": []}  # fmt: skip
    await application(scope, receive, send)
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


def path_of(device: Device, at: int = NOON, form: Callable[[Any], str] = str) -> str:
    return f"/api/v1/monitoring/device/{form(device.pk)}/?key={device.key}&time={time_of(at)}"


@pytest.mark.parametrize("form", [str, lambda pk: pk.hex, lambda pk: str(pk).upper()])
def test_a_report_is_on_disk_when_it_is_answered(
    device: Device, application: Any, form: Callable[[Any], str], time_machine: Any
) -> None:
    time_machine.move_to(NOON + 5)
    found = asyncio.run(ask(application, path_of(device, form=form), body()))
    assert found == (200, b"", {b"content-length": b"0"})
    assert LatestSample.objects.get().at == NOON


def test_an_address_with_a_slash_at_its_end_is_understood(
    device: Device, application: Any
) -> None:
    assert asyncio.run(ask(application, "/" + path_of(device), body()))[0] == 200


def test_reports_that_come_together_are_kept_together(
    organization: Any, application: Any, time_machine: Any
) -> None:
    time_machine.move_to(NOON + 5)
    some = [factories.device(organization) for _ in range(20)]

    async def all_at_once() -> Any:
        return await asyncio.gather(*(ask(application, path_of(one), body()) for one in some))

    assert {status for status, _, _ in asyncio.run(all_at_once())} == {200}
    assert Sample.objects.count() == 20


def test_one_bad_report_costs_no_other(device: Device, application: Any) -> None:
    async def all_at_once() -> Any:
        return await asyncio.gather(
            ask(application, path_of(device), body()),
            ask(application, path_of(device).replace(device.key, "wrong"), body()),
            ask(application, path_of(device), b"{"),
        )

    assert [status for status, _, _ in asyncio.run(all_at_once())] == [200, 403, 400]


def test_a_report_that_is_too_large_is_dropped_by_its_agent(
    device: Device, application: Any, settings: Any
) -> None:
    settings.MUSTER_BODY_LIMIT = 100
    assert asyncio.run(ask(application, path_of(device), b" " * 101))[0] == 400


def test_when_too_many_wait_the_next_is_to_come_again(
    device: Device, application: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(report_fast_path, "MOST_WAITING", 0)
    assert asyncio.run(ask(application, path_of(device), body()))[0] == 503


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/monitoring/device/{pk}/"), ("POST", "/api/v1/monitoring/device/"),
     ("POST", "/api/v1/monitoring/device/{pk}/metric/"),
     ("POST", "/api/v1/monitoring/device/-----------------------------------/")],
)  # fmt: skip
def test_everything_else_goes_on_to_django(
    device: Device, application: Any, method: str, path: str
) -> None:
    asked = path.format(pk=device.pk)
    assert asyncio.run(ask(application, asked, method=method))[1] == b"django"


class Agent:
    """Sends the files of its folder as the monitoring agent does, reading nothing but statuses."""

    def __init__(self, device: Device, application: Any, folder: Path) -> None:
        self.device, self.application, self.folder = device, application, folder
        self.statuses: list[int] = []

    def collect(self, at: int, **values: Any) -> None:
        name = time_of(at).rpartition(".")[0]
        (self.folder / name).write_bytes(body(**values))

    async def send_all(self) -> None:
        for file in sorted(self.folder.iterdir()):
            files = len(list(self.folder.iterdir()))
            query = f"key={self.device.key}&time={file.name}.000000"
            query += "&current=true" if files == 1 else ""
            path = f"/api/v1/monitoring/device/{self.device.pk.hex}/?{query}"
            status, _, _ = await ask(self.application, path, file.read_bytes())
            self.statuses.append(status)
            if status in {200, 400}:
                file.unlink()
            else:
                break


def test_an_agent_that_was_cut_off_loses_nothing_and_doubles_nothing(
    device: Device, application: Any, tmp_path: Path, time_machine: Any, monkeypatch: Any
) -> None:
    agent = Agent(device, application, tmp_path)
    for at in range(4):
        agent.collect(NOON + at * 300, uptime=5000 + at * 300, rx=at * 1000)
    (tmp_path / time_of(NOON + 1200).rpartition(".")[0]).write_text("")
    time_machine.move_to(NOON + 1300)
    monkeypatch.setattr(report_fast_path, "MOST_WAITING", 0)
    asyncio.run(agent.send_all())
    monkeypatch.setattr(report_fast_path, "MOST_WAITING", 10)
    asyncio.run(agent.send_all())
    asyncio.run(agent.send_all())
    assert agent.statuses == [503, 200, 200, 200, 200, 400]
    assert not list(tmp_path.iterdir())
    assert Sample.objects.count() == 4
    assert json.dumps(LatestSample.objects.get().layout)


def test_a_crash_while_keeping_is_answered_so_that_the_report_comes_again(
    device: Device, application: Any, monkeypatch: Any
) -> None:
    def broken(some: Any) -> Any:
        raise RuntimeError

    monkeypatch.setattr(report_fast_path, "kept", broken)
    assert asyncio.run(ask(application, path_of(device), body()))[0] == 503
    assert reports.NOT_KEPT.status == 503
