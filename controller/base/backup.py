"""Backup of all rows and files to one file, and restore into an empty database.

The file is a ZIP: ``rows/<app.model>.jsonl`` with one row per line, ``media/…`` with the
uploaded files, and ``manifest.json``, written last. Secrets stay encrypted with the newest
encryption key. Rows are streamed, so memory use does not depend on the size of the backup.
The database of the restore may be of another kind (SpatiaLite or PostGIS).
"""

import hmac
import json
import os
import secrets
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile

import orjson
from cryptography.fernet import InvalidToken
from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.contrib.gis.db.models import GeometryField
from django.core.exceptions import SuspiciousFileOperation
from django.core.management.color import no_style
from django.db import connection, models, transaction
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.translation import gettext

from controller import __version__
from controller.base.backup_files import read_files, write_files
from controller.base.errors import Conflict, Refused
from controller.base.secrets import (
    EncryptedBytesField,
    EncryptedJSONField,
    EncryptedTextField,
    fernet,
)

FORMAT = 1
MANIFEST = "manifest.json"
BATCH = 500
# Sessions are not backed up: users sign in again after a restore. The other two tables are
# filled by every migration.
LEFT_OUT = {"sessions.session"}
# Rows that migrations and their signals create.
REPLACED = {
    "accounts.grouprole",
    "auth.group",
    "auth.permission",
    "contenttypes.contenttype",
}
PLAIN = (bool, int, float, str, datetime, date, time, UUID, list, dict)


@dataclass(frozen=True)
class Manifest:
    """Contents of a backup, and a sealed nonce that proves the encryption keys match."""

    format: int
    portal: str
    made: str
    migrations: list[str]
    rows: dict[str, int]
    files: int
    sealed: str
    audit_nonce: str
    audit_check: str


def backup_models() -> list[Any]:
    """Return all managed models in a stable order, including many-to-many tables."""
    found = apps.get_models(include_auto_created=True)
    real = [one for one in found if one._meta.managed and not one._meta.proxy]
    return sorted(
        (one for one in real if one._meta.label_lower not in LEFT_OUT),
        key=lambda one: one._meta.label_lower,
    )


def columns(model: Any) -> list[Any]:
    return [field for field in model._meta.concrete_fields if not field.generated]


# --- values to JSON and back


def serialize(field: Any, row: Any) -> Any:
    value = field.value_from_object(row)
    if value is None:
        return None
    if isinstance(field, EncryptedBytesField):
        return fernet().encrypt(bytes(value)).decode() if value else ""
    if isinstance(field, EncryptedTextField):
        # The field's own serialization: encrypted unless empty.
        return field.get_prep_value(value)
    if isinstance(field, GeometryField):
        return value.hexewkb.decode()
    if isinstance(value, PLAIN):
        return value
    return field.value_to_string(row)


def deserialize(field: Any, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(field, EncryptedBytesField):
        return fernet().decrypt(value.encode()) if value else b""
    if isinstance(field, EncryptedJSONField | EncryptedTextField):
        return field.from_db_value(value)
    return field.to_python(value)


# --- backup


def back_up(path: Path) -> Manifest:
    """Write a backup to `path`, which appears only once it is complete.

    Returns the manifest.
    """
    partial = path.with_name(f"{path.name}.partial")
    with os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "w+b") as file:
        try:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                with consistent_snapshot():
                    rows = {
                        model._meta.label_lower: write_rows(archive, model)
                        for model in backup_models()
                    }
                    migrations = applied_migrations()
                files = write_files(archive)
                manifest = build_manifest(rows, migrations, files)
                archive.writestr(MANIFEST, json.dumps(asdict(manifest), indent=1))
            os.fsync(file.fileno())
        except BaseException:
            partial.unlink()
            raise
    partial.replace(path)
    return manifest


def build_manifest(rows: dict[str, int], migrations: list[str], files: int) -> Manifest:
    nonce = secrets.token_hex(16)
    return Manifest(
        format=FORMAT,
        portal=__version__,
        made=timezone.now().isoformat(timespec="seconds"),
        migrations=migrations,
        rows=rows,
        files=files,
        sealed=fernet().encrypt(nonce.encode()).decode(),
        audit_nonce=nonce,
        audit_check=audit_check(nonce),
    )


def audit_check(nonce: str) -> str:
    return hmac.new(settings.MUSTER_AUDIT_KEY.encode(), nonce.encode(), "sha256").hexdigest()


@contextmanager
def consistent_snapshot() -> Iterator[None]:
    """Read from one database snapshot inside this context, without blocking writers."""
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        # Begun by hand: Django's BEGIN IMMEDIATE would lock out writers until the file is
        # written.
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")


def applied_migrations() -> list[str]:
    return sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations())


def write_rows(archive: ZipFile, model: Any) -> int:
    fields = columns(model)
    count = 0
    with archive.open(f"rows/{model._meta.label_lower}.jsonl", "w", force_zip64=True) as file:
        for row in model._base_manager.order_by("pk").iterator(chunk_size=BATCH):
            values = {field.attname: serialize(field, row) for field in fields}
            file.write(orjson.dumps(values, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


# --- restore


def restore(path: Path, *, prepare: Any = None) -> Manifest:
    """Fill an empty database from a backup, atomically. Returns the manifest.

    ``prepare`` creates the tables; it is called once the file and the keys have been
    validated.
    Raises Refused if the backup is damaged, does not match, or the database is not empty.
    """
    try:
        with ZipFile(path) as archive:
            manifest = validate_archive(archive)
            if tables := connection.introspection.table_names():
                check_empty(tables)
            if prepare is not None:
                prepare()
            check_migrations(manifest)
            with transaction.atomic():
                load(archive, manifest)
    except FileNotFoundError as error:
        raise Refused(gettext("There is no file %(path)s.") % {"path": path}) from error
    except (BadZipFile, zlib.error) as error:
        raise Refused(
            gettext("%(path)s is no backup, or not a whole one: %(error)s")
            % {"path": path, "error": error}
        ) from error
    except (OSError, SuspiciousFileOperation) as error:
        raise Refused(
            gettext("The files cannot be written, so nothing was: %(error)s") % {"error": error}
        ) from error
    return manifest


def validate_archive(archive: ZipFile) -> Manifest:
    """Return the manifest; raise Refused if damaged or encrypted with other keys."""
    try:
        manifest = Manifest(**json.loads(archive.read(MANIFEST)))
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(
            gettext("This is no backup of Muster: it has no manifest that can be read.")
        ) from error
    if manifest.format != FORMAT:
        raise Refused(
            gettext("This backup has format %(format)s; known here is %(format_2)s.")
            % {"format": manifest.format, "format_2": FORMAT}
        )
    try:
        nonce = fernet().decrypt(manifest.sealed.encode()).decode()
    except InvalidToken as error:
        raise Refused(
            gettext(
                "The encryption keys here do not open this backup. Set MUSTER_ENCRYPTION_KEYS to "
                "those of the portal it was made on. Nothing was written."
            )
        ) from error
    if not hmac.compare_digest(audit_check(nonce), manifest.audit_check):
        raise Refused(
            gettext(
                "The audit of this backup is sealed with another key. Set MUSTER_AUDIT_KEY to that "
                "of the portal it was made on (by default the last of its MUSTER_ENCRYPTION_KEYS). "
                "Nothing was written."
            )
        )
    if (broken := archive.testzip()) is not None:
        raise Refused(
            gettext("%(broken)s in the backup is damaged. Nothing was written.")
            % {"broken": broken}
        )
    return manifest


def check_empty(tables: Iterable[str]) -> None:
    there = set(tables)
    for model in backup_models():
        name = model._meta.label_lower
        if name in REPLACED or model._meta.db_table not in there:
            continue
        if model._base_manager.exists():
            raise Conflict(
                gettext(
                    "The database is not empty: it has %(verbose_name_plural)s. A backup is "
                    "restored into an empty one only; nothing was written."
                )
                % {"verbose_name_plural": model._meta.verbose_name_plural}
            )


def check_migrations(manifest: Manifest) -> None:
    if differs := set(manifest.migrations) ^ set(applied_migrations()):
        raise Conflict(
            gettext(
                "The backup was made by version %(portal)s with other migrations "
                "(%(differs)s). Restore it with that version, and upgrade then."
            )
            % {"portal": manifest.portal, "differs": ", ".join(sorted(differs)[:5])}
        )


def load(archive: ZipFile, manifest: Manifest) -> None:
    known = {model._meta.label_lower: model for model in backup_models()}
    if strange := set(manifest.rows) - set(known):
        raise Refused(
            gettext("The backup has rows that are unknown here: %(strange)s.")
            % {"strange": ", ".join(sorted(strange))}
        )
    # Other rows refer to these by primary keys, which differ between databases.
    for name in sorted(REPLACED):
        known[name]._base_manager.all().delete()
    for name, count in manifest.rows.items():
        if (found := read_rows(archive, known[name])) != count:
            raise Refused(
                gettext("%(name)s has %(found)s rows, and its manifest says %(count)s.")
                % {"name": name, "found": found, "count": count}
            )
    for statement in connection.ops.sequence_reset_sql(no_style(), list(known.values())):
        with connection.cursor() as cursor:
            cursor.execute(statement)
    ContentType.objects.clear_cache()
    # Last, so that a file that cannot be written rolls the rows back as well.
    if (files := read_files(archive)) != manifest.files:
        raise Refused(
            gettext("The backup has %(files)s files, and its manifest says %(files_2)s.")
            % {"files": files, "files_2": manifest.files}
        )


def read_rows(archive: ZipFile, model: Any) -> int:
    fields = columns(model)
    size = min(BATCH, connection.ops.bulk_batch_size(fields, [None] * BATCH))
    count = 0
    batch: list[models.Model] = []
    with archive.open(f"rows/{model._meta.label_lower}.jsonl") as file:
        for line in file:
            batch.append(parse_row(model, fields, line))
            if len(batch) == size:
                count += insert(model, fields, batch)
        return count + insert(model, fields, batch)


def parse_row(model: Any, fields: list[Any], line: bytes) -> models.Model:
    values = orjson.loads(line)
    row: models.Model = model(
        **{field.attname: deserialize(field, values[field.attname]) for field in fields}
    )
    return row


def insert(model: Any, fields: list[Any], batch: list[models.Model]) -> int:
    count = len(batch)
    if batch:
        # Raw insert: no defaults, no ``auto_now``, no rules, no audit.
        model._base_manager.all()._insert(batch, fields=fields, raw=True, using="default")
        batch.clear()
    return count
