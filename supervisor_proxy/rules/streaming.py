"""Backups of Home Assistant on their way up and down: never whole in memory."""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from django.utils import timezone

from controller.accounts.models import User
from controller.base.errors import Refused
from supervisor_proxy.drivers.contract import BadAnswer
from supervisor_proxy.drivers.hassio import Download, download, upload
from supervisor_proxy.engine import hassio
from supervisor_proxy.engine.answers import Reply
from supervisor_proxy.engine.routes import Wish
from supervisor_proxy.models import Supervisor, SupervisorCall
from supervisor_proxy.rules.asking import Job, start
from supervisor_proxy.rules.calling import finish

TAR = ("application/tar", "application/x-tar")
LARGEST_ERROR = 64 * 1024
GOOD = {200, 206}


@dataclass(frozen=True)
class Stream:
    """A download that has begun: what it is, and its parts."""

    status: int
    size: str
    byte_range: str
    parts: Iterator[bytes]


def send_up(
    user: User, supervisor: Supervisor, parts: Iterable[bytes], *, size: int | None
) -> Job:
    """Bring a backup to the device."""
    job = start(user, supervisor, Wish(hassio.UPLOAD, hassio.UPLOAD.pattern))
    if job.target is None or job.order is None or job.refusal is not None:
        return job
    began = time.monotonic()
    as_form = hassio.takes_forms(supervisor.version)
    found: Reply | Refused
    try:
        found = upload(job.target, job.order.path, parts, size=size, as_form=as_form)
    except Refused as refusal:
        found = refusal
    finish(job, found, time.monotonic() - began)
    return job


def bring_down(
    user: User, supervisor: Supervisor, wanted: Wish, *, byte_range: str = ""
) -> Stream:
    """A backup from the device. What keeps it from beginning is raised; it ends by itself."""
    job = start(user, supervisor, wanted)
    if job.target is None or job.order is None or job.refusal is not None:
        raise job.refusal or Refused("It cannot be begun.")
    stack, began = ExitStack(), time.monotonic()
    try:
        found = stack.enter_context(download(job.target, job.order.path, byte_range=byte_range))
        refuse_other(job, found, began)
    except Refused as refusal:
        stack.close()
        if job.refusal is None:
            finish(job, refusal, time.monotonic() - began)
        raise
    return Stream(
        found.status,
        found.headers.get("content-length", ""),
        found.headers.get("content-range", ""),
        passing(job.call, stack, found, began),
    )


def refuse_other(job: Job, found: Download, began: float) -> None:
    """Anything but a tar is an answer like others: read, and told in words."""
    kind = found.headers.get("content-type", "").partition(";")[0]
    if found.status in GOOD and kind in TAR:
        return
    body = b""
    for part in found.parts:
        body += part
        if len(body) > LARGEST_ERROR:
            break
    finish(job, Reply(found.status, kind, body[:LARGEST_ERROR]), time.monotonic() - began)
    if job.refusal is not None:
        raise job.refusal
    said = job.answer.text if job.answer else ""
    job.refusal = BadAnswer(f"The device sent no backup: {said[:200]}", code="bad_answer")
    raise job.refusal


def passing(
    call: SupervisorCall, stack: ExitStack, found: Download, began: float
) -> Iterator[bytes]:
    """The parts, and the end of the call noted, whichever way it comes."""
    state, reason, size = SupervisorCall.State.FAILED, "The stream was cut off.", 0
    try:
        for part in found.parts:
            size += len(part)
            yield part
        state, reason = SupervisorCall.State.SUCCEEDED, f"{size} bytes"
    finally:
        stack.close()
        call.state, call.reason, call.status = state, reason, found.status
        call.duration = round((time.monotonic() - began) * 1000)
        call.ended, call.leased_until = timezone.now(), None
        call.save()
