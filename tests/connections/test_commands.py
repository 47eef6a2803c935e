"""Commands: requested over the API, executed on real SSH servers."""

import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from controller.accounts.models import Organization, User
from controller.base.errors import Refused
from controller.base.leases import LeaseHolder
from controller.connections.engine.commands import KINDS, problems
from controller.connections.models import COMMANDS, Command, CommandBatch, DeviceConnection
from controller.connections.rules import command_worker, commands, usable_connections
from controller.devices.models import Device
from tests import factories
from tests.fleet.ssh import Fleet, SshDevice


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with Fleet(3, tmp_path_factory.mktemp("fleet")) as running:
        yield running


def reachable(organization: Organization, server: SshDevice) -> Device:
    credentials = factories.credentials(
        organization,
        params={"username": server.username, "key": Path(server.client_key_path).read_text()},
    )
    device = factories.device(organization, management_ip=server.host, config={})
    factories.connection(device, credentials, port=server.port)
    return device


def url_of(device: Device) -> str:
    return f"/api/v1/controller/device/{device.pk}/command/"


@pytest.fixture
def client(api: Any, admin: User) -> Any:
    return api(admin)


@pytest.fixture
def device(organization: Organization, fleet: Fleet) -> Device:
    return reachable(organization, fleet.devices[0])


def run(client: Any, device: Device, kind: str, given: Any) -> Command:
    sent = client.post(url_of(device), {"type": kind, "input": given})
    assert sent.status_code == 201, sent.json()
    command_worker.run_due()
    return Command.objects.get(pk=sent.json()["id"])


def test_a_command_runs_and_its_output_is_kept(client: Any, device: Device) -> None:
    sent = client.post(
        url_of(device), {"type": "custom", "input": {"command": "echo hi; id -u"}}
    )
    assert sent.json()["status"] == "in-progress"
    assert sent.json()["type"] == "Custom commands"
    assert sent.json()["input"] == "echo hi; id -u"
    command_worker.run_due()
    shown = client.get(f"{url_of(device)}{sent.json()['id']}/").json()
    assert (shown["status"], shown["exit_status"]) == ("success", 0)
    assert shown["output"].startswith("hi\n")


def test_a_command_pins_the_host_key_that_it_saw(client: Any, device: Device) -> None:
    run(client, device, "custom", {"command": "true"})
    connection = device.connections.get()
    assert connection.host_key.startswith("ssh-")
    assert connection.is_host_key_trusted
    assert connection.is_working


def test_one_connection_that_cannot_be_used_fails_alone(
    client: Any, device: Device, organization: Organization, fleet: Fleet
) -> None:
    broken = reachable(organization, fleet.devices[1])
    # As an earlier version of the portal took it.
    broken.connections.update(host_key="garbage")
    sent = client.post(url_of(broken), {"type": "custom", "input": {"command": "true"}})
    row = run(client, device, "custom", {"command": "true"})
    assert row.status == "success"
    assert Command.objects.get(pk=sent.json()["id"]).status == "failed"


def test_a_failing_command_says_with_which_status(client: Any, device: Device) -> None:
    row = run(client, device, "custom", {"command": "echo oops >&2; exit 3"})
    assert (row.status, row.exit_status) == ("failed", 3)
    assert row.output == "oops\nIt ended with exit status 3."


def test_a_command_cut_off_is_unknown_and_not_failed(client: Any, device: Device) -> None:
    row = run(client, device, "custom", {"command": "kill -9 $PPID"})
    assert (row.status, row.exit_status) == ("unknown", None)
    assert "may have been done" in row.output


def test_a_device_that_is_not_there_fails_since_nothing_was_sent(
    client: Any, organization: Organization, tmp_path: Path
) -> None:
    with SshDevice(tmp_path) as server:
        gone = reachable(organization, server)
    row = run(client, gone, "custom", {"command": "echo hi"})
    assert row.status == "failed"
    assert "refused" in row.output.lower()


def test_a_password_is_hidden_before_and_gone_after(client: Any, device: Device) -> None:
    given = {"password": "a new secret", "confirm_password": "a new secret"}
    sent = client.post(url_of(device), {"type": "change_password", "input": given})
    assert "a new secret" not in sent.content.decode()
    assert "a new secret" not in KINDS["change_password"].line(given)
    row = Command.objects.get()
    assert row.input == given
    Command.objects.update(started=timezone.now())
    command_worker.finish(row, command_worker.CommandResult("success"), "")
    assert row.input is None


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [
        ("zzz", None, "type"),
        ("custom", {}, "input"),
        ("custom", {"command": "  "}, "input"),
        ("custom", None, "input"),
        ("reboot", {"x": 1}, "input"),
        ("change_password", {"password": "abcdef", "confirm_password": "abcdeg"}, "input"),
        ("restart_service", {"service": "a; reboot"}, "input"),
        ("ping", {"host": "-f 1.1.1.1"}, "input"),
        ("ping", [], "input"),
    ],
)
def test_bad_input_is_refused_beside_its_field(
    client: Any, device: Device, kind: str, given: Any, field: str
) -> None:
    answer = client.post(url_of(device), {"type": kind, "input": given})
    assert (answer.status_code, list(answer.json())) == (400, [field])
    assert not Command.objects.exists()


def test_nothing_can_be_sent_to_a_device_without_credentials_or_out_of_service(
    client: Any, organization: Organization
) -> None:
    device = factories.device(organization)
    body = {"type": "reboot", "input": None}
    answer = client.post(url_of(device), body)
    assert answer.json() == {"device": ["Device has no credentials assigned."]}
    Device.objects.update(is_deactivated=True)
    assert client.post(url_of(device), body).status_code == 403
    assert client.get(url_of(device)).status_code == 200


def test_strangers_and_viewers_send_nothing(
    api: Any, organization: Organization, device: Device
) -> None:
    body = {"type": "custom", "input": {"command": "id"}}
    stranger = api(factories.user(factories.organization()))
    assert stranger.post(url_of(device), body).status_code == 404
    assert stranger.get(url_of(device)).status_code == 404
    viewer = api(factories.user(organization, "viewer"))
    assert viewer.post(url_of(device), body).status_code == 403
    assert (
        api(factories.user(organization, "operator")).post(url_of(device), body).status_code
        == 201
    )


def test_a_waiting_command_is_cancelled_and_never_runs(
    client: Any, device: Device, fleet: Fleet
) -> None:
    sent = client.post(url_of(device), {"type": "custom", "input": {"command": "touch /nope"}})
    url = f"{url_of(device)}{sent.json()['id']}/cancel/"
    assert client.post(url).json()["status"] == "cancelled"
    assert client.post(url).status_code == 409
    assert command_worker.run_due() == 0


def lose_worker(*, sent: bool, **values: Any) -> None:
    """A worker leased all commands, and died before or after it sent them."""
    holder = LeaseHolder(COMMANDS)
    rows = holder.lease(100)
    if sent:
        holder.mark_sent(*(row.pk for row in rows))
    past = timezone.now() - timedelta(seconds=1)
    Command.objects.update(leased_until=past, **values)


def test_a_command_that_outlives_its_worker_is_unknown_and_keeps_what_it_said(
    device: Device,
) -> None:
    commands.send(device, type="custom", input={"command": "true"})
    lose_worker(sent=True, output="half")
    assert command_worker.run_due() == 0
    row = Command.objects.get()
    assert (row.status, row.output) == ("unknown", f"half\n{command_worker.LOST}")


def test_a_lost_change_of_a_password_keeps_no_password(device: Device) -> None:
    given = {"password": "a new secret", "confirm_password": "a new secret"}
    commands.send(device, type="change_password", input=given)
    lose_worker(sent=True)
    command_worker.run_due()
    row = Command.objects.get()
    assert (row.status, row.input) == ("unknown", None)


def test_commands_that_a_lost_worker_had_not_sent_run_after_all_and_once(
    client: Any, organization: Organization, fleet: Fleet
) -> None:
    devices = [reachable(organization, server) for server in fleet.devices]
    commands.send_to_many(
        devices, organization=organization, type="custom",
        input={"command": "echo done"},
    )  # fmt: skip
    lose_worker(sent=False)
    command_worker.run_due()
    Command.objects.update(not_before=timezone.now())
    assert command_worker.run_due() == len(devices)
    assert set(Command.objects.values_list("status", "attempts")) == {("success", 2)}


def test_a_command_that_is_cancelled_after_it_was_leased_is_not_sent(device: Device) -> None:
    row = commands.send(device, type="custom", input={"command": "true"})
    holder = LeaseHolder(COMMANDS)
    holder.lease(1)
    commands.cancel(row)
    assert not holder.mark_sent(row.pk)
    row.refresh_from_db()
    assert (row.status, row.started) == ("cancelled", None)


def test_one_connection_with_a_bad_host_key_loses_no_other_command(
    organization: Organization, fleet: Fleet
) -> None:
    devices = [reachable(organization, server) for server in fleet.devices]
    broken = DeviceConnection.objects.filter(device=devices[0])
    broken.update(host_key="garbage")
    commands.send_to_many(
        devices, organization=organization, type="custom", input={"command": "true"}
    )
    command_worker.run_due()
    statuses = dict(Command.objects.values_list("device", "status"))
    assert statuses.pop(devices[0].pk) == "failed"
    assert set(statuses.values()) == {"success"}


def test_a_command_pins_the_key_that_the_device_shows(device: Device) -> None:
    commands.send(device, type="custom", input={"command": "true"})
    command_worker.run_due()
    row = DeviceConnection.objects.get()
    assert row.host_key
    assert row.is_working


def test_a_disabled_connection_is_refused(device: Device) -> None:
    row = DeviceConnection.objects.get()
    row.enabled = False
    row.save()
    with pytest.raises(Refused, match="disabled"):
        commands.send(device, type="custom", input={"command": "true"}, connection=row)


def test_a_batch_has_a_result_for_each_device(
    client: Any, organization: Organization, fleet: Fleet
) -> None:
    devices = [reachable(organization, server) for server in fleet.devices]
    made = client.post(
        "/api/v1/controller/command-batch/",
        {
            "organization": str(organization.pk),
            "type": "custom",
            "input": {"command": "basename $MUSTER_ROOT/.."},
            "devices": [str(device.pk) for device in devices],
        },
    )
    assert made.status_code == 201, made.json()
    assert (made.json()["total"], made.json()["done"]) == (3, 0)
    command_worker.run_due()
    shown = client.get(f"/api/v1/controller/command-batch/{made.json()['id']}/").json()
    assert (shown["done"], shown["results"]["success"]) == (3, 3)
    assert CommandBatch.objects.get().commands.exclude(exit_status=0).count() == 0


@pytest.mark.django_db(transaction=True)
def test_output_is_there_while_the_command_runs(fleet: Fleet) -> None:
    device = reachable(factories.organization(), fleet.devices[0])
    row = commands.send(
        device, type="custom", input={"command": "echo first; sleep 3; echo second"}
    )
    worker = threading.Thread(target=command_worker.run_due)
    worker.start()
    try:
        deadline = time.monotonic() + 20
        while not row.output:
            assert time.monotonic() < deadline
            time.sleep(0.1)
            row.refresh_from_db()
        assert (row.output, row.status) == ("first\n", "in-progress")
    finally:
        worker.join()
    row.refresh_from_db()
    assert (row.output, row.status) == ("first\nsecond", "success")


def test_every_kind_takes_what_its_schema_describes() -> None:
    good: dict[str, Any] = {
        "custom": {"command": "uptime"},
        "reboot": None,
        "change_password": {"password": "abcdef", "confirm_password": "abcdef"},
        "restart_service": {"service": "dnsmasq"},
        "ping": {"host": "fe80::1"},
        "traceroute": {"host": "192.0.2.1"},
        "read_log": {"lines": "50"},
    }
    assert good.keys() == KINDS.keys()
    for kind, given in good.items():
        assert problems(kind, given) == []
        assert KINDS[kind].line(given)


def test_a_kind_that_is_not_known_any_more_is_shown_with_its_output(
    client: Any, device: Device
) -> None:
    row = Command.objects.create(
        device=device, type="retired", input={"a": "b"}, status="success", output="well done"
    )
    headers = factories.bearer(factories.user(device.organization))
    url = f"/api/v1/controller/device/{device.pk}/command/{row.pk}/"
    shown = client.get(url, headers=headers).json()
    assert (shown["type"], shown["input"], shown["output"]) == ("retired", "", "well done")
    client.force_login(factories.superuser())
    page = f"/admin/connections/command/{row.pk}/change/"
    assert client.get(page).status_code == 200
    assert client.get("/admin/connections/command/").status_code == 200


@pytest.mark.django_db
def test_a_working_connection_is_preferred_and_an_untried_one_comes_second(
    organization: Organization,
) -> None:
    device = factories.device(organization, management_ip="192.0.2.4")
    states = {"failing": False, "untried": None, "working": True}
    rows = {
        name: DeviceConnection.objects.create(
            device=device,
            credentials=factories.credentials(organization, name=name),
            is_working=state,
        )
        for name, state in states.items()
    }
    for name in ("working", "untried", "failing"):
        assert usable_connections([device.pk])[device.pk].credentials.name == name
        rows[name].delete()
