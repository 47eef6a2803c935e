"""Streaming of Home Assistant backups and logs, never held in memory as a whole."""

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace

from django.utils import timezone
from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Refused
from controller.base.leases import FREE, assign
from supervisor_proxy.drivers.contract import BadAnswer, Download, Order
from supervisor_proxy.engine import hassio
from supervisor_proxy.engine.answers import JSON, Reply
from supervisor_proxy.engine.routes import CallRequest, parse_request
from supervisor_proxy.models import Supervisor
from supervisor_proxy.rules.call_execution import RENEW_SECONDS, finish
from supervisor_proxy.rules.call_requests import CallJob, mark_sent, renew_leases, start
from supervisor_proxy.rules.transports import streaming_driver_for

TAR = ("application/tar", "application/x-tar")
LOGS = ("text/plain", "text/x-log")
LARGEST_ERROR = 64 * 1024
CUT_OFF = "The stream was cut off."
GOOD = {200, 206}


@dataclass(frozen=True)
class Stream:
    """A started download with its metadata and parts."""

    status: int
    size: str
    byte_range: str
    parts: Iterator[bytes]


class DeviceAnswered(Refused):
    """An error that the device itself told in words, in place of a stream."""

    def __init__(self, job: CallJob) -> None:
        super().__init__(job.answer.text[:200] if job.answer else "", code="device_error")
        self.job = job


def backup_of(slug: str, query: Mapping[str, str] | None = None) -> CallRequest:
    path = f"/backups/{slug}/download"
    return parse_request(hassio.STREAMS, method="GET", path=path, query=query)


def upload(
    user: User,
    supervisor: Supervisor,
    parts: Iterable[bytes],
    *,
    size: int | None,
    query: Mapping[str, str] | None = None,
) -> CallJob:
    """Upload a backup to the device."""
    path = hassio.UPLOAD.pattern
    wanted = parse_request(hassio.STREAMS, method="POST", path=path, query=query)
    job = start(user, supervisor, wanted)
    if job.target is None or job.order is None or job.refusal is not None:
        return job
    began = time.monotonic()
    order = replace(job.order, as_form=hassio.takes_forms(supervisor.version))
    found: Reply | Refused
    mark_sent(job)
    try:
        found = streaming_driver_for(supervisor).upload(
            job.target, order, _renewing(job, parts), size=size
        )
    except Refused as refusal:
        found = refusal
    finish(job, found, time.monotonic() - began)
    return job


def _renewing(job: CallJob, parts: Iterable[bytes]) -> Iterator[bytes]:
    renewed = time.monotonic()
    for part in parts:
        if time.monotonic() - renewed > RENEW_SECONDS:
            renewed = time.monotonic()
            renew_leases([job])
        yield part


def download(
    user: User, supervisor: Supervisor, wanted: CallRequest, *, byte_range: str = ""
) -> Stream:
    """Start a download of a backup. Raises Refused if it cannot start."""
    job = start(user, supervisor, wanted)
    if job.target is None or job.order is None or job.refusal is not None:
        raise job.refusal or Refused(gettext("It cannot be begun."))
    found, stack, began = open_stream(job, replace(job.order, byte_range=byte_range), TAR)
    return Stream(
        found.status,
        found.headers.get("content-length", ""),
        found.headers.get("content-range", ""),
        StreamedDownload(job, stack, found, began),
    )


def follow(user: User, supervisor: Supervisor, wanted: CallRequest) -> Iterator[bytes]:
    """Follow a log by lines until the client disconnects or the log stays silent."""
    job = start(user, supervisor, wanted)
    if job.target is None or job.order is None or job.refusal is not None:
        raise job.refusal or Refused(gettext("It cannot be begun."))
    order = replace(job.order, follows=True, accept="text/plain")
    found, stack, began = open_stream(job, order, LOGS)
    return LogLines(StreamedDownload(job, stack, found, began, is_log=True))


def open_stream(
    job: CallJob, order: Order, kinds: Collection[str]
) -> tuple[Download, ExitStack, float]:
    """Open a stream. On an error answer, finish the job and raise its refusal."""
    target, stack, began = job.target, ExitStack(), time.monotonic()
    if target is None:
        raise TypeError("A job is made ready before it is begun.")
    mark_sent(job)
    try:
        found = stack.enter_context(
            streaming_driver_for(job.supervisor).download(target, order)
        )
        refuse_other(job, found, began, kinds)
    except Refused as refusal:
        stack.close()
        if job.refusal is None:
            finish(job, refusal, time.monotonic() - began)
        raise
    return found, stack, began


def refuse_other(job: CallJob, found: Download, began: float, kinds: Collection[str]) -> None:
    """Finish the job with an answer that is not a stream of these types, and raise."""
    kind = found.headers.get("content-type", "").partition(";")[0]
    if found.status in GOOD and kind in kinds:
        return
    body = b""
    for part in found.parts:
        body += part
        if len(body) > LARGEST_ERROR:
            break
    finish(job, Reply(found.status, kind, body[:LARGEST_ERROR]), time.monotonic() - began)
    if job.refusal is not None:
        raise job.refusal
    if job.answer is not None and job.answer.content_type == JSON and not job.answer.is_good:
        job.refusal = DeviceAnswered(job)
        raise job.refusal
    said = job.answer.text if job.answer else ""
    job.refusal = BadAnswer(f"The device sent something else: {said[:200]}", code="bad_answer")
    raise job.refusal


class StreamedDownload:
    """Iterator of the parts that records the call's end, however it ends."""

    def __init__(
        self,
        job: CallJob,
        stack: ExitStack,
        found: Download,
        began: float,
        *,
        is_log: bool = False,
    ) -> None:
        self.job, self.call, self.stack, self.found = job, job.call, stack, found
        self.began = self.renewed = began
        self.is_log, self.is_over, self.size = is_log, False, 0
        # Disconnecting is the normal end of a followed log.
        self.left = ("succeeded", "It was followed.") if is_log else ("failed", CUT_OFF)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if time.monotonic() - self.renewed > RENEW_SECONDS:
            self.renewed = time.monotonic()
            renew_leases([self.job])
        try:
            part = next(self.found.parts)
        except StopIteration:
            self._end("succeeded", f"{self.size} bytes")
            raise
        except Refused as refusal:
            self._end(self.left[0], str(refusal))
            if self.is_log:
                raise StopIteration from None
            raise
        self.size += len(part)
        return part

    def close(self) -> None:
        self._end(*self.left)

    def _end(self, state: str, reason: str) -> None:
        if self.is_over:
            return
        self.is_over = True
        self.stack.close()
        call = self.call
        call.state, call.reason, call.status = state, reason, self.found.status
        call.duration = round((time.monotonic() - self.began) * 1000)
        call.ended = timezone.now()
        assign(call, FREE)
        call.save()


class LogLines:
    """Iterator of complete log lines without colors."""

    def __init__(self, parts: StreamedDownload) -> None:
        self.parts, self.held = parts, b""

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        while True:
            try:
                part = next(self.parts)
            except StopIteration:
                rest, self.held = self.held, b""
                if rest:
                    return hassio.ANSI.sub(b"", rest)
                raise
            if not part:
                return b""
            whole, end, self.held = (self.held + part).rpartition(b"\n")
            if not end and len(self.held) > LARGEST_ERROR:
                whole, self.held = self.held, b""
            if whole or end:
                return hassio.ANSI.sub(b"", whole + end)

    def close(self) -> None:
        self.parts.close()
