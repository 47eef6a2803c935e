"""Uploads of images: streamed to storage, read, and refused with the reason."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from controller.base.errors import Refused
from controller.firmware.engine.errors import BadImage
from controller.firmware.engine.formats import check_name
from controller.firmware.engine.images import ImageReport, inspect
from controller.firmware.engine.metadata import Metadata
from controller.firmware.engine.names import image_type, safe_name
from controller.firmware.engine.signatures import Verdict
from controller.firmware.models import Build, Image, ImageBoard
from controller.firmware.rules.image_storage import discard, keep, share, store
from controller.firmware.rules.policies import trusted_keys


def add_image(
    build: Build,
    *,
    name: str,
    parts: Iterable[bytes],
    kind: str = "",
    sha256: str = "",
    **values: Any,
) -> Image:
    """Store an image of a build and read its metadata; raise Refused for a bad one.

    ``kind`` is the type, derived from the file name unless it is given; with ``sha256`` another
    content is refused.
    """
    name = safe_name(name)
    _checked(check_name, name)
    stored = store(parts)
    try:
        if sha256 and stored.sha256 != sha256:
            raise Refused({"file": [gettext("The file has another checksum than announced.")]})
        report = _checked(inspect, stored.path, trusted_keys(build.category.organization_id))
        row = _row(build, report, kind or image_type(name), name=name, **values)
        row.size, row.sha256 = stored.size, stored.sha256
        share(stored)
        with transaction.atomic():
            row.checked().save()
            boards = report.metadata.boards if report.metadata else ()
            ImageBoard.objects.bulk_create(
                ImageBoard(image=row, name=board) for board in boards
            )
            keep(stored)
    finally:
        discard(stored)
    return row


def _checked(check: Any, *args: Any) -> Any:
    try:
        return check(*args)
    except BadImage as error:
        raise Refused({"file": [str(error)]}) from error


def _row(build: Build, report: ImageReport, kind: str, **values: Any) -> Image:
    if report.signature == Verdict.BROKEN:
        raise Refused(
            {
                "file": [
                    gettext(
                        "The signature of the image is not valid: it was changed after signing."
                    )
                ]
            }
        )
    found = report.metadata or Metadata()
    return Image(
        build=build,
        type=kind,
        has_metadata=report.metadata is not None,
        compat_version=found.compat_version,
        compat_message=found.compat_message,
        version=found.version,
        revision=found.revision,
        target=found.target,
        signature=report.signature.value,
        **values,
    )
