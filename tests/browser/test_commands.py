"""Commands from the admin, executed on a real SSH server."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from controller.accounts.models import Organization, User
from controller.connections.models import Command, CommandBatch
from controller.connections.rules import command_worker, commands
from controller.devices.models import Device
from tests import factories
from tests.fleet.ssh import SshDevice

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
Browse = Callable[..., Any]


@pytest.fixture
def device(organization: Organization, tmp_path: Path) -> Any:
    with SshDevice(tmp_path) as server:
        params = {"username": server.username, "key": server.private_key}
        device = factories.device(
            organization, name="ap-1", management_ip=server.host, config={}
        )
        factories.connection(
            device, factories.credentials(organization, params=params), port=server.port
        )
        yield device


def in_background(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_output_grows_on_the_page_while_the_command_runs(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/#commands")
    expect(page.get_by_text("No command has been run on this device yet.")).to_be_visible()
    page.locator("[data-name=command]").fill("echo hi; sleep 4; echo there")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".command .badge")).to_have_text("In progress")
    worker = in_background(command_worker.run_due)
    expect(page.locator(".command .output")).to_have_text("hi\n")
    expect(page.locator(".command .badge")).to_have_text("In progress")
    expect(page.locator(".command .badge")).to_have_text("Success")
    expect(page.locator(".command .output")).to_have_text("hi\nthere")
    worker.join()


def test_a_waiting_command_is_cancelled_with_a_click(
    browse: Browse, admin: User, device: Device
) -> None:
    commands.send(device, type="custom", input={"command": "id"})
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/#commands")
    page.locator(".command").get_by_role("button", name="Cancel").click()
    expect(page.locator(".command .badge")).to_have_text("Cancelled")
    assert Command.objects.get().status == "cancelled"


def test_a_reboot_is_sent_only_after_the_device_is_named(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open(f"/admin/devices/device/{device.pk}/change/#commands")
    page.locator("[data-kinds] [name=type]").select_option("reboot")
    page.get_by_label("To confirm, type").fill("ap-2")
    page.get_by_role("button", name="Run", exact=True).click()
    assert not Command.objects.exists()
    page.get_by_label("To confirm, type").fill("ap-1")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".command b")).to_have_text("Reboot")
    assert Command.objects.get().type == "reboot"


def test_a_batch_is_sent_from_the_list_and_its_page_follows_it(
    browse: Browse, admin: User, device: Device
) -> None:
    page = browse(admin).open("/admin/devices/device/")
    page.locator("[name=_selected_action]").check()
    page.locator("[name=action]").select_option("run_command")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator("[data-name=command]").fill("echo hi")
    page.get_by_role("button", name="Run on 1 device").click()
    expect(page.get_by_text("1 of 1 devices still to answer")).to_be_visible()
    assert CommandBatch.objects.count() == 1
    in_background(command_worker.run_due).join()
    expect(page.locator("td .badge")).to_have_text("Success")
    expect(page.locator("td.reason")).to_have_text("hi")
    page.get_by_role("link", name="ap-1").click()
    expect(page.locator(".output")).to_have_text("hi")
