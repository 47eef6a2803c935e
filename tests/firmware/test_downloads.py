"""Downloads of images: one-time tokens, ranges, shared bandwidth, and devices that use them."""

import asyncio
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.utils import timezone

from controller.accounts.models import Organization
from controller.base import pacing
from controller.dialects.image_fast_path import ImageFastPath
from controller.firmware.models import ImageDownload, Upgrade
from controller.firmware.rules import downloads
from controller.firmware.rules.upgrades import start_upgrade
from tests.firmware import fleet
from tests.firmware.test_upgrades import a_device, an_image, run, run_to_end
from tests.fleet.ports import free_port
from tests.fleet.router_device import Router

pytestmark = pytest.mark.django_db(transaction=True)
State = Upgrade.State
WHOLE = {"type": "http.request", "body": b""}


@pytest.fixture
def application() -> Iterator[Any]:
    made = ImageFastPath(django)
    yield made
    made.pool.submit(connections.close_all).result()
    made.pool.shutdown()


async def django(_scope: Any, _receive: Any, send: Any) -> None:
    """Stand where Django would."""
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"django"})


class Answer:
    def __init__(self, sent: list[dict[str, Any]]) -> None:
        self.status = sent[0]["status"]
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.parts = [one.get("body", b"") for one in sent[1:]]
        self.paths = [one["path"] for one in sent[1:] if "path" in one]

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


def ask(
    application: Any, token: str = "", *, method: str = "GET", path: str = downloads.PATH,
    body: bytes = b"", extensions: Any = None, **headers: str,
) -> Answer:  # fmt: skip
    sent: list[dict[str, Any]] = []
    left = [WHOLE | {"body": body}]

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    if token:
        headers["authorization"] = f"Bearer {token}"
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw,
             "extensions": extensions or {}}  # fmt: skip
    asyncio.run(application(scope, receive, send))
    return Answer(sent)


@pytest.fixture
def upgrade(organization: Organization) -> Upgrade:
    image = fleet.add_image(fleet.build(organization))
    row = start_upgrade(fleet.device(organization), image)
    Upgrade.objects.update(state=State.SENDING)
    row.refresh_from_db()
    return row


def test_a_token_opens_one_image_of_one_upgrade_for_three_starts(
    application: Any, upgrade: Upgrade
) -> None:
    assert upgrade.image
    whole = upgrade.image.path.read_bytes()
    token = downloads.issue(upgrade)
    assert len(token) >= 43
    stored = ImageDownload.objects.get()
    assert token not in {stored.digest, str(stored)}
    assert ask(application, token).body == whole
    second = ask(application, token, range=f"bytes=100-{len(whole) - 1}")
    assert (second.status, second.body) == (206, whole[100:])
    assert second.headers["content-range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    third = ask(application, method="POST", body=token.encode(), range="bytes=7-")
    assert (third.status, third.body) == (206, whole[7:])
    assert ask(application, token).status == 404, "three starts are all"


def test_a_token_ends_with_its_hour_its_phase_and_the_next_token(
    application: Any, upgrade: Upgrade
) -> None:
    former, token = downloads.issue(upgrade), downloads.issue(upgrade)
    assert ask(application, former).status == 404
    assert ask(application, token).status == 200
    Upgrade.objects.update(state=State.VERIFYING)
    assert ask(application, token).status == 404
    Upgrade.objects.update(state=State.SENDING)
    ImageDownload.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert ask(application, token).status == 404
    assert downloads.forget_expired() == 1
    token = downloads.issue(upgrade)
    downloads.revoke(upgrade)
    assert ask(application, token).status == 404


@pytest.mark.parametrize("token", ["", "x" * 43, "x" * 100_000])
def test_strangers_learn_nothing(application: Any, upgrade: Upgrade, token: str) -> None:
    downloads.issue(upgrade)
    answer = ask(application, token)
    assert (answer.status, answer.body) == (404 if token else 200, b"")
    assert ask(application, method="POST", body=token.encode()).status == 404
    assert ask(application, method="DELETE").status == 405
    assert ask(application, method="HEAD").status == 200
    assert ask(application, path="/firmware/other/").status == 299


def test_a_range_behind_the_end_is_refused_and_a_strange_one_gets_everything(
    application: Any, upgrade: Upgrade
) -> None:
    token = downloads.issue(upgrade)
    answer = ask(application, token, range="bytes=99999999-")
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{upgrade.size}")
    assert len(ask(application, token, range="lines=1-2").body) == upgrade.size


def test_servers_that_can_send_files_are_given_the_path(
    application: Any, upgrade: Upgrade, settings: Any
) -> None:
    can = {"http.response.pathsend": {}}
    token = downloads.issue(upgrade)
    assert upgrade.image
    assert ask(application, token, extensions=can).paths == [str(upgrade.image.path)]
    settings.MUSTER_FIRMWARE_SITE_RATE = 10**9
    assert len(ask(application, token, extensions=can).body) == upgrade.size


def test_transfers_of_one_site_share_their_rate() -> None:
    lane = f"test:{uuid4()}"

    async def both() -> list[float]:
        return [await pacing.take(lane, 1000, 10_000) for _ in range(3)]

    first, second, third = asyncio.run(both())
    assert first == 0
    assert 0 < second <= 0.1
    assert second < third <= 0.2


# --- a device that downloads


class Portal:
    """The portal's ASGI application behind a plain HTTP server on loopback."""

    def __init__(self, application: Any) -> None:
        portal = self
        self.asked: list[str] = []
        self.tokens: list[str] = []
        self.cuts: list[int | None] = []

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                portal.asked.append(self.command)
                size = int(self.headers.get("Content-Length") or 0)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(size)
                token = headers.get("authorization", "").removeprefix("Bearer ")
                portal.tokens += [one for one in (token, body.decode()) if one]
                found = ask(
                    application, method=self.command, path=self.path, body=body, **headers
                )
                self.send_response(found.status)
                for name, value in found.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                cut = portal.cuts.pop(0) if portal.cuts and found.body else None
                self.wfile.write(found.body[:cut])
                self.close_connection = True

            do_GET = do_POST = do_HEAD = answer  # noqa: N815 - as the server calls them

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.port = free_port()
        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def portal(application: Any, settings: Any) -> Iterator[Portal]:
    made = Portal(application)
    settings.MUSTER_PUBLIC_URL = made.url
    yield made
    made.close()


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Router]:
    with Router(tmp_path / "router") as router:
        yield router


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_a_device_that_reaches_the_portal_downloads_its_image(
    organization: Organization, router: Router, portal: Portal, tool: str
) -> None:
    router.has_only(tool)
    upgrade = run(start_upgrade(a_device(organization, router), an_image(organization)))
    assert upgrade.state == State.AWAY, upgrade.log
    assert "downloaded from the portal" in upgrade.log, upgrade.log
    # The wget of busybox asks with GET where others send HEAD.
    assert portal.asked == (["HEAD", "GET"] if tool == "curl" else ["GET", "POST"])
    assert not ImageDownload.objects.exists()
    assert not router.has("tmp/muster-firmware.bin.key")
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


def test_a_broken_download_goes_on_where_it_broke(
    organization: Organization, router: Router, portal: Portal
) -> None:
    portal.cuts = [5000, 9000]
    upgrade = run(start_upgrade(a_device(organization, router), an_image(organization)))
    assert "downloaded from the portal" in upgrade.log, upgrade.log
    assert portal.asked == ["HEAD", "GET", "GET", "GET"]
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


@pytest.mark.parametrize("way", ["no tool", "no portal", "always broken", "off"])
def test_every_other_device_gets_it_over_ssh(
    organization: Organization, router: Router, portal: Portal, settings: Any, way: str
) -> None:
    if way == "no tool":
        router.has_only()
    elif way == "no portal":
        settings.MUSTER_PUBLIC_URL = f"http://127.0.0.1:{free_port()}"
    elif way == "always broken":
        portal.cuts = [10, 10, 10]
    else:
        settings.MUSTER_FIRMWARE_DOWNLOADS = False
    upgrade = run(start_upgrade(a_device(organization, router), an_image(organization)))
    assert "sent over SSH" in upgrade.log, upgrade.log
    assert run_to_end(upgrade).state == State.CONFIRMED, upgrade.log


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_the_token_stands_in_no_command_line(
    organization: Organization, router: Router, portal: Portal, tool: str
) -> None:
    router.has_only(tool)
    router.log_arguments(tool)
    run(start_upgrade(a_device(organization, router), an_image(organization)))
    lines = (router.folder / "commands.log").read_text()
    assert portal.url in lines
    (token,) = portal.tokens
    assert len(token) >= 43
    assert token not in lines
