"""Answers that are files."""

from django.http import HttpResponse
from django.utils.text import get_valid_filename


def archive_response(name: str, archive: bytes) -> HttpResponse:
    """Return a configuration archive as the download ``<name>.tar.gz``."""
    return HttpResponse(
        archive,
        content_type="application/octet-stream",
        headers={
            # Agents and scripts of OpenWISP tell the portal's answers by this header.
            "X-Openwisp-Controller": "true",
            "Content-Disposition": f"attachment; filename={get_valid_filename(name)}.tar.gz",
        },
    )


def file_response(name: str, contents: bytes) -> HttpResponse:
    """Return contents as a download that no browser shows or keeps."""
    return HttpResponse(
        contents,
        content_type="application/octet-stream",
        headers={
            "Cache-Control": "no-store",
            "Content-Disposition": f"attachment; filename={get_valid_filename(name)}",
        },
    )
