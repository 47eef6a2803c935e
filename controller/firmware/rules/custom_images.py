"""Custom images from a sysupgrade server, with the packages that a device has."""

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.accounts.rules.audit import record_audit
from controller.base.errors import OutcomeUnknown, Refused, Unreachable
from controller.base.leases import for_each
from controller.base.outbound.transactions import blocking
from controller.celery import enqueue_on_commit
from controller.connections.drivers.ssh import handshake_limit
from controller.connections.models import DeviceConnection
from controller.connections.rules import usable_connections
from controller.devices.models import Device
from controller.firmware.drivers.asu import Asu, read_packages
from controller.firmware.engine.asu import Answer, BuildOrder, BuiltImage, check_order
from controller.firmware.models import Build, DeviceSystem, Image, ImageRequest
from controller.firmware.rules.image_uploads import add_image
from controller.firmware.rules.system_facts import connector

RUN = "controller.firmware.tasks.advance_image_requests"
State = ImageRequest.State
AT_ONCE = 20
PAUSE = timedelta(seconds=15)
# Nobody else takes a request while a worker has it: a download takes this long at most.
TAKEN = timedelta(minutes=40)
# Servers build within minutes; after this time a request is given up.
LONGEST = timedelta(hours=6)


def is_offered() -> bool:
    return bool(settings.MUSTER_ASU_URL)


@transaction.atomic
def request_image(
    build: Build, device: Device, *, packages: Iterable[str] = (), author: User | None = None
) -> ImageRequest:
    """Ask for an image of this build for the board of a device.

    Without ``packages`` those are read that the device has. Raises Refused if it cannot be.
    """
    if not is_offered():
        raise Refused(gettext("No sysupgrade server is set up (MUSTER_ASU_URL)."))
    owner = build.category.organization_id
    if owner not in {None, device.organization_id}:
        raise Refused({"device": [gettext("It is of another organization than the build.")]})
    system = DeviceSystem.objects.filter(device=device).first()
    if system is None or not system.board:
        raise Refused({"device": [gettext("The board of the device has not been read yet.")]})
    row = ImageRequest(
        build=build, device=device, packages=sorted(set(packages)), author=author,
        version=build.version, target=system.target, board=system.board, root=system.rootfs_type,
    )  # fmt: skip
    row.checked(leave_out={"author"})
    try:
        check_order(order_of(row))
    except ValueError as error:
        raise Refused(str(error)) from error
    if ImageRequest.objects.filter(
        build=build, board=row.board, state__in=ImageRequest.OPEN
    ).exists():
        raise Refused(gettext("An image for this board is being built already."))
    row.save()
    record_audit("firmware.request", build, after={"board": row.board}, by=author)
    enqueue_on_commit(RUN)
    return row


def order_of(row: ImageRequest) -> BuildOrder:
    return BuildOrder(row.version, row.target, row.board, tuple(row.packages))


def advance_due() -> int:
    """Go on with the requests that are due. Returns their number."""
    due = ImageRequest.objects.filter(state__in=ImageRequest.OPEN, look_at__lte=timezone.now())
    pks = list(due.order_by("look_at").values_list("pk", flat=True)[:AT_ONCE])
    return for_each(pks, advance, name="firmware.custom_images")


def advance(pk: UUID) -> None:
    """Advance one request, unless another worker has it."""
    now = timezone.now()
    mine = ImageRequest.objects.filter(pk=pk, state__in=ImageRequest.OPEN, look_at__lte=now)
    if not mine.update(look_at=now + TAKEN):
        return
    row: ImageRequest = ImageRequest.objects.select_related("build__category").get(pk=pk)
    try:
        _step(row)
    except (Refused, ValueError) as error:
        _retry(row, error)


def _step(row: ImageRequest) -> None:
    if not row.packages:
        row.packages = list(_packages_of(row.device_id))
        row.save(update_fields=["packages", "modified"])
    server, order = Asu(settings.MUSTER_ASU_URL), order_of(row)
    if row.request:
        answer = server.look(row.request, order, row.root)
    else:
        answer = server.ask(order, row.root)
    if answer.image is not None:
        _finish(row, _stored(row, server, answer.image))
    elif answer.is_waiting or answer.is_gone:
        _wait(row, answer)
    else:
        _fail(row, answer.words)


def _packages_of(device_id: UUID) -> tuple[str, ...]:
    way = usable_connections([device_id]).get(device_id)
    if way is None:
        raise Refused(
            gettext("The packages of the device are read over SSH, and it has no connection.")
        )
    found = blocking(_read_packages)(way)
    if not found:
        raise ValueError("The device does not tell which packages it has: name them.")
    return found


async def _read_packages(way: DeviceConnection) -> tuple[str, ...]:
    async with connector(way, handshake_limit())() as shell:
        return await read_packages(shell)


def _stored(row: ImageRequest, server: Asu, found: BuiltImage) -> Image:
    """Return the image, downloaded unless the build has it already."""
    known: Image | None = Image.objects.filter(build=row.build, sha256=found.sha256).first()
    if known is not None:
        return known
    parts: Iterator[bytes] = server.download(found, settings.MUSTER_FIRMWARE_LIMIT)
    return add_image(row.build, name=found.name, parts=parts, sha256=found.sha256)


def _retry(row: ImageRequest, error: Exception) -> None:
    """Retry temporary failures; give up on others."""
    passes = isinstance(error, Unreachable | OutcomeUnknown)
    if passes and timezone.now() - row.created < LONGEST:
        _save(row, row.state, str(error), timezone.now() + PAUSE * 4)
    else:
        _fail(row, str(error))


def _wait(row: ImageRequest, answer: Answer) -> None:
    if timezone.now() - row.created > LONGEST:
        _fail(row, f"Given up after {LONGEST}: {answer.words}")
        return
    # A server that forgot the request is asked again.
    row.request = "" if answer.is_gone else answer.request or row.request
    state = State.BUILDING if row.request else State.ASKED
    _save(row, state, answer.words, timezone.now() + PAUSE)


def _fail(row: ImageRequest, reason: str) -> None:
    row.ended = timezone.now()
    _save(row, State.FAILED, reason, row.look_at)


def _finish(row: ImageRequest, image: Image) -> None:
    row.image, row.ended = image, timezone.now()
    _save(row, State.DONE, "", row.look_at)


def _save(row: ImageRequest, state: str, reason: str, look_at: Any) -> None:
    row.state, row.reason, row.look_at = state, reason, look_at
    row.save()
