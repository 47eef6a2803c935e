"""Rendering: from NetJSON to the archive that a device downloads."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError
from jsonschema import ValidationError as SchemaError
from netjsonconfig.exceptions import ValidationError

from controller.base import archive
from controller.base.archive import File
from controller.configs.engine.backends import Engine, backend_named
from controller.configs.engine.errors import InvalidConfig
from controller.configs.engine.merge import fold, layer
from controller.configs.engine.variables import VARIABLE

__all__ = ["File", "InvalidConfig", "Rendered", "render", "validate"]

# Agents skip a file with any other path and still report success.
PATH = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")

# Exceptions that netjsonconfig's converters raise on values its schema permits.
CRASHES = (
    ArithmeticError, AssertionError, AttributeError, LookupError, RecursionError, TypeError,
    ValueError, TemplateError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rendered:
    """Rendered archive; `checksum` is its md5, `digest` the sha256 of the tar within.

    Agents compare the checksum. The digest does not depend on the compressor: equal digests
    mean
    equal files, whichever zlib wrote the archive.
    """

    files: tuple[File, ...]
    archive: bytes = field(repr=False)
    checksum: str
    digest: str


def render(
    backend: str,
    templates: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    context: Mapping[str, object],
    *,
    dsa: bool = True,
) -> Rendered:
    """Render the archive; raise InvalidConfig, and no other exception, on failure."""
    files = _files(backend, templates, config, context, dsa=dsa, partial=False)
    tar = archive.tar(files)
    packed = archive.gzip(tar)
    return Rendered(
        files=tuple(files),
        archive=packed,
        checksum=hashlib.md5(packed, usedforsecurity=False).hexdigest(),
        digest=hashlib.sha256(tar).hexdigest(),
    )


def validate(
    backend: str,
    templates: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    context: Mapping[str, object],
    *,
    dsa: bool = True,
    partial: bool = False,
) -> None:
    """Raise InvalidConfig exactly when `render` would.

    With `partial`, undefined variables are permitted in file paths and UCI names, so that a
    template
    can be checked without a device.
    """
    _files(backend, templates, config, context, dsa=dsa, partial=partial)


def _files(
    backend: str,
    templates: Sequence[Mapping[str, Any]],
    config: Mapping[str, Any],
    context: Mapping[str, object],
    *,
    dsa: bool,
    partial: bool,
) -> list[File]:
    kind = backend_named(backend)
    if not isinstance(context, Mapping):
        raise InvalidConfig("variables must be a JSON object of names and values")
    engine: Engine | None = None
    try:
        engine = kind(layer(fold(templates), config), context, dsa=dsa, partial=partial)
        files = engine.files()
    except InvalidConfig:
        raise
    except ValidationError as error:
        raise _worded(error.details) from error
    except SchemaError as error:
        raise _worded(error) from error
    except CRASHES as error:
        raise _explained(engine, error) from error
    for file in files:
        _check_path(file.path, partial=partial)
    return files


def _worded(error: SchemaError) -> InvalidConfig:
    return InvalidConfig(error.message, "#/" + "/".join(str(part) for part in error.path))


def _explained(engine: Engine | None, crash: BaseException) -> InvalidConfig:
    """Return the schema's message for a converter crash, else the crash's own."""
    if isinstance(crash, RecursionError):
        return InvalidConfig("nested too deep: flatten it")
    if engine is not None:
        try:
            engine.validator.reference.validate(engine.config)
        except SchemaError as error:
            return _worded(error)
        except CRASHES as error:
            crash = error
    return InvalidConfig(
        f"it cannot be converted ({type(crash).__name__}: {crash}): compare the part this "
        "names with its description in the schema"
    )


def _check_path(path: str, *, partial: bool) -> None:
    known = VARIABLE.sub("x", path) if partial else path
    if PATH.fullmatch(known) and not {".", ".."} & set(known.split("/")):
        return
    missing = [name for name in VARIABLE.findall(path) if name]
    raise InvalidConfig(
        f"the file path {path!r} would be skipped by the device: "
        + (f"define the variable {missing[0]}" if missing else "use A-Z a-z 0-9 . _ - and /")
    )
